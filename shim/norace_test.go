//go:build !race

package shim_test

// raceDetector multiplies the memory of a process.
const raceDetector = false
