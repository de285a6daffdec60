package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/rogpeppe/go-internal/testscript"

	"lambda-parallel-io/tune/internal/sfntest"
)

// asFunction makes the test binary a Lambda function that misbehaves in the
// way that the variable names, so that -function can name it.
const asFunction = "TUNE_TEST_AS_FUNCTION"

func TestMain(m *testing.M) {
	if how := os.Getenv(asFunction); how != "" {
		misbehave(how)
		return
	}
	testscript.Main(m, map[string]func(){"tune": main})
}

func misbehave(how string) {
	if how == "dies at once" {
		fmt.Println("no such thing as a bucket")
		os.Exit(3)
	}
	awslambda.Start(func(ctx context.Context, payload json.RawMessage) (any, error) {
		switch how {
		case "echoes":
			return payload, nil
		case "dies":
			os.Exit(4)
		case "hangs":
			<-make(chan int)
		case "hangs at 512 MB":
			if os.Getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE") == "512" {
				<-make(chan int)
			}
		case "answers garbage":
			return strings.NewReader("{{{ \x1b[31mnot JSON"), nil
		case "answers too much":
			return strings.Repeat("x", 7<<20), nil
		case "prints megabytes":
			for range 4 << 10 {
				fmt.Println(strings.Repeat("x", 1023))
			}
		case "forks":
			return nil, exec.Command("/bin/sh", "-c", "sleep 1000 & sleep 1000 &").Run()
		case "lies":
			return map[string]int{"objects_read": 49}, nil
		}
		return "done", nil
	})
}

// TestScripts runs the program by the scripts of testdata/script: what it
// prints, writes and returns. The scripts find the repository in $ROOT and a
// function that misbehaves in $FUNCTION.
func TestScripts(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("ROOT", root)
			env.Setenv("FUNCTION", self)
			env.Setenv("TMPDIR", env.WorkDir+"/scratch")
			for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOFLAGS", "GOPROXY"} {
				out, err := exec.Command("go", "env", name).Output()
				if err != nil {
					return fmt.Errorf("go env %s: %w", name, err)
				}
				env.Setenv(name, strings.TrimSpace(string(out)))
			}
			return os.Mkdir(env.WorkDir+"/scratch", 0o777)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code":    code,
			"nothing": nothing,
			"shape":   shape,
			"mapped":  mapped,
			"points":  points,
			"limits":  limits,
			"sfn":     sfn,
		},
	})
}

// sfn SCRIPT serves Step Functions on loopback, behaving as the script says:
// see sfntest.Server.Follow.
func sfn(ts *testscript.TestScript, neg bool, args []string) {
	answers, err := sfntest.New(strings.Join(args, " "))
	ts.Check(err)
	server := httptest.NewServer(answers)
	ts.Defer(server.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
		"SM": "arn:aws:states:eu-west-1:123456789012:stateMachine:powerTuningStateMachine-1a2b",
		"FN": "arn:aws:lambda:eu-west-1:123456789012:function:reader",
	} {
		ts.Setenv(name, value)
	}
}

// code N COMMAND ... runs a command that must exit with N.
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N command [args...]")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := err.(*exec.ExitError); ok {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%s: %v", args[1], err)
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("%q exited with %d, want %s", args[1:], got, args[0])
	}
}

// nothing left: no file in $TMPDIR, and no process that knows of it.
func nothing(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(nothingLeft(ts.Getenv("TMPDIR")))
}

func nothingLeft(scratch string) error {
	entries, err := os.ReadDir(scratch)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s was left behind in the temporary folder", entries[0].Name())
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		pid := processOf(scratch)
		if pid == "" {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("process %s of the function goes on", pid)
		}
		time.Sleep(10 * time.Millisecond) // the kernel is reaping it
	}
}

// processOf returns the number of a function's process, "" where there is
// none: its environment names a file in the scratch folder.
func processOf(scratch string) string {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, name := range files {
		env, err := os.ReadFile(name)
		if err == nil && strings.Contains(string(env), "AWS_CA_BUNDLE="+scratch) {
			return filepath.Base(filepath.Dir(name))
		}
	}
	return ""
}
