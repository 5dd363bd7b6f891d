package shim

// SealedCopy is the way of old kernels, which a test takes everywhere.
var SealedCopy = sealedCopy
