// Judges a file of generic operations (registers or strings) with porcupine, for comparison, and prints its
// answer and the seconds that judging alone took.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/anishathalye/porcupine"
)

type line struct {
	Process int             `json:"process"`
	F       string          `json:"f"`
	Key     string          `json:"key"`
	Input   json.RawMessage `json:"input"`
	Output  struct {
		Value json.RawMessage `json:"value"`
	} `json:"output"`
	Call   int64  `json:"call_ns"`
	Return *int64 `json:"return_ns"`
}

type input struct{ f, key, value string }

func text(raw json.RawMessage) string {
	var text string
	if len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &text) == nil {
		return text
	}
	// Null and numbers are what they look like.
	return string(raw)
}

func partition(history []porcupine.Operation) [][]porcupine.Operation {
	byKey := map[string][]porcupine.Operation{}
	for _, operation := range history {
		key := operation.Input.(input).key
		byKey[key] = append(byKey[key], operation)
	}
	parts := [][]porcupine.Operation{}
	for _, part := range byKey {
		parts = append(parts, part)
	}
	return parts
}

func main() {
	file, initial := os.Args[1], os.Args[2]
	seconds, err := strconv.Atoi(os.Args[3])
	if err != nil {
		panic(err)
	}
	source, err := os.Open(file)
	if err != nil {
		panic(err)
	}
	scanner := bufio.NewScanner(source)
	scanner.Buffer(make([]byte, 1<<20), 1<<26)
	history := []porcupine.Operation{}
	for scanner.Scan() {
		var one line
		if err := json.Unmarshal(scanner.Bytes(), &one); err != nil {
			panic(err)
		}
		returned := int64(1) << 60
		if one.Return != nil {
			returned = *one.Return
		} else if one.F == "read" || one.F == "get" {
			continue
		}
		history = append(history, porcupine.Operation{
			ClientId: one.Process, Call: one.Call, Return: returned,
			Input: input{one.F, one.Key, text(one.Input)}, Output: text(one.Output.Value),
		})
	}
	model := porcupine.Model{
		Partition: partition,
		Init:      func() interface{} { return initial },
		Step: func(state, in, out interface{}) (bool, interface{}) {
			switch in := in.(input); in.f {
			case "read", "get":
				return state == out, state
			case "append":
				return true, state.(string) + in.value
			default:
				return true, in.value
			}
		},
	}
	started := time.Now()
	answer := porcupine.CheckOperationsTimeout(model, history, time.Duration(seconds)*time.Second)
	fmt.Printf("%s %.6f\n", answer, time.Since(started).Seconds())
}
