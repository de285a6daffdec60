package main

// help is what -h prints: 80 columns at most.
const help = `tune compares concurrency strategies at Lambda memory sizes, and recommends one.

  go run ./tune                on this machine, under a model of Lambda and S3
  go run ./tune -stack dev     on AWS, by the stack that pulumi up made
  go run ./tune -from FILE     draw a comparison again

What to compare
  -strategies LIST   sequential, unbounded, pool, semaphore (all); or none: send
                     the payload as it is
  -concurrency LIST  of pool and semaphore, 1 to 900 (30); each of a list is a
                     variant of its own; auto: 30, and what its figures predict
  -power LIST        memory sizes, 128 to 10240 MB (128,512,1024,1769,3008)
  -num N             invocations a cell (6); below 6 nothing tells noise apart
  -repeat N          reads an invocation, 1 to 1000000 (50)
  -payload JSON      the payload, completed by the flags above
  -input FILE        a Power Tuning execution input; flags given here win
  -arch ARCH         arm64 or x86_64: whose prices to take (arm64)
  -timeout D         of an invocation, 1s to 900s (600s)

On this machine (Linux)
  -latency NAME      of S3: apg (median 13 ms), public (27), express (2.5),
                     none, or a fixed duration such as 15ms (apg)
  -seed N            of the latencies: the same seed, the same latencies (1)
  -object FILE       what S3 holds (sample.json)
  -function PATH     a Go package, or an executable that speaks the Lambda
                     Runtime API: your own, whose answer may be any JSON
                     (./handler)
  -env KEY=VALUE     a variable for the function; may be given again

On AWS
  -stack NAME           the Pulumi stack whose outputs say where
  -state-machine ARN    in place of the stack's
  -function-arn ARN     in place of the stack's
  -profile NAME         of the AWS configuration
  -region NAME          of the state machine (that of its ARN)
  -parallel             a size's invocations at once, in place of one by one
  -execution-timeout D  the stack's totalExecutionTimeout (600s); its function's
                        timeout is -timeout, its architecture -arch
  -yes                  spend more than $1 without being asked
  -resume DIR           take up a comparison that was cut off

Output
  -o DIR      where results.json, report.html and the other views go
              (tune-results)
  -json       print results.json, and nothing else, on stdout
  -open       open the report
  -dry-run    say what would be run, and on AWS at what cost, and stop
  -v          print each invocation's REPORT line, the function's log, and what
              the model itself costs

Examples
  go run ./tune -concurrency 10,30,64,128 -strategies pool -power 512,1024,1769
  go run ./tune -function ./myfunction -payload '{"n": 5}' -strategies none
  go run ./tune -stack dev -power 512,1024,1769 -num 10 -repeat 2000

Exit codes of the built program: 0 fine, 1 a cell or the run failed, 2 usage,
4 credentials, 130 Ctrl-C, 143 SIGTERM. "go run" turns every failure into 1.
`
