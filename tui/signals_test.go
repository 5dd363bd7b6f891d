package tui

import (
	"syscall"
	"testing"
	"time"
)

// Whatever comes while the console ends already, the terminal is given back first.
func TestTheSecondSignalDoesNotCutOffTheEnd(t *testing.T) {
	s := hearSignals()
	s.late = 0
	defer s.stop()
	quits := make(chan bool)
	go s.each(func() { quits <- true })
	heard := func(sig syscall.Signal) {
		t.Helper()
		if err := syscall.Kill(syscall.Getpid(), sig); err != nil {
			t.Fatal(err)
		}
		select {
		case <-quits:
		case <-time.After(10 * time.Second):
			t.Fatalf("%s is not heard", sig)
		}
	}
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT, syscall.SIGINT} {
		heard(sig)
	}
	back := s.toOthers()
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGINT); err != nil { // would block in quits, and be the next one heard
		t.Fatal(err)
	}
	for len(s.ch) > 0 {
		time.Sleep(time.Millisecond)
	}
	heard(syscall.SIGTERM)
	select {
	case <-quits:
		t.Error("ctrl+c in another program ends the console")
	default:
	}
	back()
	heard(syscall.SIGINT)
}

// The ctrl+c that has ended a program is heard when the program is gone already.
func TestALateInterruptIsNotTheConsoles(t *testing.T) {
	s := &signals{late: time.Hour}
	if s.forOthers() {
		t.Error("nobody else was there")
	}
	back := s.toOthers()
	back()
	if !s.forOthers() {
		t.Error("it is taken for the console's")
	}
}

// ctrl+c ends the program that has the terminal, and the console has it again.
func TestInterruptOfACommand(t *testing.T) {
	r := startWith(t, newEngine(t), 100, 30, "[[commands]]\nname = \"alone\"\ncommand = \"echo it runs; read forever\"\nkey = \"f8\"\n")
	r.WaitFor("Containers 12")
	r.Press("j", "j", "j", "f8")
	r.WaitFor("it runs")
	r.Press("ctrl+c")
	r.WaitFor("Containers 12", "alone")
	r.Press("q")
	if code := r.WaitExit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	r.WaitRestored()
}
