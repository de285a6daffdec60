//go:build linux

package lambda_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A function asks for SIGTERM by registering an extension, as aws-lambda-go's
// WithEnableSIGTERM does. Others are killed without a word.
func TestAFunctionWithAnExtensionGetsSIGTERM(t *testing.T) {
	for _, c := range []struct {
		mode, do string // the last call, before the environment is closed
		told     bool
	}{
		{"wants SIGTERM", "answer", true},
		{"wants SIGTERM", "hang", true},
		{"takes SIGTERM", "answer", false},
		{"takes SIGTERM", "hang", false},
	} {
		t.Run(c.mode+", "+c.do, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "told")
			f := function(t, 1_769, time.Second, asFunction+"="+c.mode, "TELL="+file)
			first := invoke(t, f, request{Do: "answer"})
			began := time.Now()
			last := invoke(t, f, request{Do: c.do})
			if c.do == "hang" && (last.Err == nil || last.Err.Type != "Sandbox.Timedout" || last.BilledMS != 1_000) {
				t.Errorf("%d ms billed, %v; want a timeout of 1 s, without what came after it", last.BilledMS, last.Err)
			}
			if c.do == "answer" {
				f.Close()
			}
			if took := time.Since(began); c.told && took < 500*time.Millisecond {
				t.Errorf("it was killed after %v, want it to have 500 ms", took)
			}
			_, err := os.Stat(file)
			if told := err == nil; told != c.told {
				t.Errorf("SIGTERM reached it: %t, want %t (%v)", told, c.told, err)
			}
			if log := string(first.Log) + string(last.Log); strings.Contains(log, "WARNING") {
				t.Errorf("aws-lambda-go misses something: %s", log)
			}
			if c.do == "hang" {
				if after := invoke(t, f, request{Do: "answer"}); after.Err != nil || string(after.Response) == string(first.Response) {
					t.Errorf("after the timeout: %s, %v; want another process", after.Response, after.Err)
				}
			}
		})
	}
}

// The time that a process with an extension gets for its end is no part of what is billed.
func TestTheEndOfAFailedINITIsNotBilled(t *testing.T) {
	f := function(t, 1_769, time.Minute, asFunction+"=registers, reports an init error and stays")
	if inv := invoke(t, f, request{}); inv.Err == nil || inv.Init > 400*time.Millisecond || inv.Duration > 400*time.Millisecond {
		t.Errorf("INIT %v, duration %v, %v; want an error without the 500 ms that follow it", inv.Init, inv.Duration, inv.Err)
	}
}

func TestAnExtensionThatRegistersForEventsIsRefused(t *testing.T) {
	f := function(t, 1_769, time.Minute)
	for do, want := range map[string]string{
		"register for INVOKE":  "extension watcher asks for INVOKE: the local model hands no event to extensions",
		"poll as an extension": "no extension has registered as this Lambda-Extension-Identifier",
	} {
		inv := invoke(t, f, request{Do: do})
		if got := string(inv.Response); !strings.HasPrefix(got, `"403 `) || !strings.Contains(got, want) {
			t.Errorf("%s got %s, %v; want 403 with %q", do, got, inv.Err, want)
		}
	}
}

func TestAnInterruptedAnswerIsAFailureWithItsCause(t *testing.T) {
	f := function(t, 1_769, time.Minute)
	before := invoke(t, f, request{Do: "answer"})
	for _, form := range []int{0, 1, 10_000, 200_001} { // odd ones look whole; half of it is the length of what follows the cause
		inv := invoke(t, f, request{Do: "break off", MS: form})
		if inv.Err == nil || inv.Err.Error() != "errorString: the object has ended"+strings.Repeat(".", form/2) || inv.Response != nil {
			t.Errorf("Err = %v, Response %s; want the cause and no answer", inv.Err, inv.Response)
		}
	}
	if after := invoke(t, f, request{Do: "answer"}); string(after.Response) != string(before.Response) {
		t.Errorf("process %s became %s after a broken answer: %v", before.Response, after.Response, after.Err)
	}
}
