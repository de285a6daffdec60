package strategies_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"sync/atomic"

	"lambda-parallel-io/strategies"
)

var words = []string{"sequential", "unbounded", "pool", "semaphore"}

// lengths returns the length of every word, measured by the strategy of that name.
// Each task writes to its own element, so the tasks need no lock.
func lengths(name string, concurrency int) []int {
	s, err := strategies.ByName(name)
	if err != nil {
		log.Fatal(err)
	}
	out := make([]int, len(words))
	err = s.Run(context.Background(), len(words), concurrency, func(_ context.Context, i int) error {
		out[i] = len(words[i])
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	return out
}

func Example_sequential() {
	fmt.Println(lengths("sequential", 1))
	// Output: [10 9 4 9]
}

func Example_unbounded() {
	fmt.Println(lengths("unbounded", 0)) // no bound: concurrency is ignored
	// Output: [10 9 4 9]
}

func Example_pool() {
	fmt.Println(lengths("pool", 2))
	// Output: [10 9 4 9]
}

func Example_semaphore() {
	fmt.Println(lengths("semaphore", 2))
	// Output: [10 9 4 9]
}

// The first error ends the call.
func ExampleStrategy_Run() {
	s, _ := strategies.ByName("semaphore")
	var done atomic.Int64
	err := s.Run(context.Background(), 1_000_000, 8, func(_ context.Context, i int) error {
		if i == 100 {
			return errors.New("item 100 is broken")
		}
		done.Add(1)
		return nil
	})
	fmt.Println(err, done.Load() < 1_000_000)
	// Output: item 100 is broken true
}
