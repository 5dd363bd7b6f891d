//go:build race

package shim_test

const raceDetector = true
