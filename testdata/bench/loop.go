package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// loopVerb makes this program run a command again and again and print how long
// each took: so the loop can stand inside a namespace that a peer needs, and
// entering that is not measured.
const loopVerb = "-loop"

// loop runs argv n times through the wrapper (words put before the loop; may be
// empty) and returns the durations. "{}" in an argument becomes the number of
// the run.
func loop(ctx context.Context, n int, wrapper, argv []string) ([]time.Duration, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := append(append(append([]string{}, wrapper...), self, loopVerb, strconv.Itoa(n)), argv...)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("running %s: %w: %s", strings.Join(argv, " "), err, strings.TrimSpace(stderr.String()))
	}
	var d []time.Duration
	if err := json.Unmarshal(out, &d); err != nil {
		return nil, fmt.Errorf("reading the durations of %s: %w", strings.Join(argv, " "), err)
	}
	return d, nil
}

// loopMain is the other side of loop.
func loopMain(args []string) {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	var out []time.Duration
	for i := range n + 2 { // the first two warm the caches
		argv := make([]string, len(args)-1)
		for j, a := range args[1:] {
			argv[j] = strings.ReplaceAll(a, "{}", fmt.Sprintf("b%d-%d", os.Getpid(), i))
		}
		cmd := exec.Command(argv[0], argv[1:]...)
		var msg bytes.Buffer
		cmd.Stderr = &msg
		start := time.Now()
		if err := cmd.Run(); err != nil {
			fmt.Fprintln(os.Stderr, err, msg.String())
			os.Exit(1)
		}
		if i >= 2 {
			out = append(out, time.Since(start))
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
