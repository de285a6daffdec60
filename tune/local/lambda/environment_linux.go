package lambda

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// environment returns Lambda's variables, and none of this process's own: a
// function must not see the caller's account. Source: AWS Lambda Developer
// Guide, "Defined runtime environment variables".
func (f *Function) environment() []string {
	return append([]string{
		f.mark(),
		"AWS_LAMBDA_FUNCTION_NAME=" + f.cfg.Name,
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		fmt.Sprintf("AWS_LAMBDA_FUNCTION_MEMORY_SIZE=%d", f.cfg.MemoryMB),
		"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/" + f.cfg.Name,
		"AWS_LAMBDA_LOG_STREAM_NAME=local",
		"AWS_EXECUTION_ENV=AWS_Lambda_provided.al2023",
		"AWS_REGION=" + f.cfg.Region,
		"AWS_DEFAULT_REGION=" + f.cfg.Region,
		// Empty files, and no request to an instance's metadata: whoever runs
		// this may be logged in to AWS.
		"AWS_CONFIG_FILE=" + os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
		"AWS_EC2_METADATA_DISABLED=true",
		"LAMBDA_TASK_ROOT=" + filepath.Dir(f.cfg.Path),
		"LAMBDA_RUNTIME_DIR=/var/runtime",
		"_HANDLER=bootstrap",
		"LANG=en_US.UTF-8",
		"PATH=/usr/local/bin:/usr/bin:/bin",
		"TZ=:UTC",
		fmt.Sprintf("GOMAXPROCS=%d", VisibleCores(f.cfg.MemoryMB)),
	}, f.cfg.Env...)
}

// KillMarked kills every process whose environment holds the variable,
// KEY=VALUE, also one that a function has started and that left its group.
func KillMarked(variable string) {
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return
	}
	for _, name := range files {
		env, err := os.ReadFile(name)
		if err != nil {
			continue // not ours, or gone
		}
		for _, v := range bytes.Split(env, []byte{0}) {
			if string(v) == variable {
				if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name))); err == nil {
					_ = unix.Kill(pid, unix.SIGKILL)
				}
			}
		}
	}
}
