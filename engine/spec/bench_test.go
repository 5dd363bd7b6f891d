package spec

import "testing"

// BenchmarkBuild is the part of a start that makes the spec.
func BenchmarkBuild(b *testing.B) {
	in := input(nil)
	for b.Loop() {
		if _, err := Build(in); err != nil {
			b.Fatal(err)
		}
	}
}
