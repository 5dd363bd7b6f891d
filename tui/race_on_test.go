//go:build race

package tui

const raceDetector = true // everything takes ten times as long
