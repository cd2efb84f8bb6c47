// A franz-go client: admin calls, a group whose members come and go, and a transactional copy from one topic
// to another with aborts. Prints what it found as one JSON object.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const records = 3000

var seeds = strings.Split(os.Args[1], ",")

func client(options ...kgo.Opt) *kgo.Client {
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(seeds...)}, options...)...)
	if err != nil {
		log.Fatal(err)
	}
	return cl
}

func must(err error, what string) {
	if err != nil {
		log.Fatalf("%s: %v", what, err)
	}
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	found := map[string]any{}
	admin := kadm.NewClient(client())
	min := "2"
	made, err := admin.CreateTopics(ctx, 4, 3, map[string]*string{"min.insync.replicas": &min}, "go-in", "go-out")
	must(err, "create topics")
	must(made.Error(), "create topics")
	again, err := admin.CreateTopic(ctx, 4, 3, nil, "go-in")
	found["created again"] = fmt.Sprint(errors.Is(again.Err, kerr.TopicAlreadyExists), err != nil)
	configs, err := admin.DescribeTopicConfigs(ctx, "go-in")
	must(err, "describe configs")
	for _, config := range configs[0].Configs {
		if config.Key == "min.insync.replicas" {
			found["min.insync.replicas"] = config.MaybeValue()
		}
	}
	produce(ctx)
	offsets, err := admin.ListEndOffsets(ctx, "go-in")
	must(err, "list end offsets")
	ends := int64(0)
	offsets.Each(func(o kadm.ListedOffset) { ends += o.Offset })
	found["end offsets"] = ends
	members(ctx, found)
	copied(ctx, found)
	groups, err := admin.ListGroups(ctx)
	must(err, "list groups")
	found["groups"] = groups.Groups()
	lag, err := admin.Lag(ctx, "go-copy")
	must(err, "lag")
	found["lag"] = lag["go-copy"].Lag.Total()
	txns, err := admin.ListTransactions(ctx, nil, nil)
	must(err, "list transactions")
	found["transactional ids"] = len(txns.TransactionalIDs())
	deleted, err := admin.DeleteRecords(ctx, kadm.Offsets{"go-in": {0: kadm.Offset{Topic: "go-in", Partition: 0, At: 10}}})
	must(err, "delete records")
	must(deleted.Error(), "delete records")
	starts, err := admin.ListStartOffsets(ctx, "go-in")
	must(err, "list start offsets")
	first, _ := starts.Lookup("go-in", 0)
	found["start after delete records"] = first.Offset
	_, err = admin.DeleteGroups(ctx, "go-group")
	must(err, "delete groups")
	_, err = admin.DeleteTopics(ctx, "go-in")
	must(err, "delete topics")
	out, _ := json.Marshal(found)
	fmt.Println(string(out))
}

func produce(ctx context.Context) {
	cl := client(kgo.DefaultProduceTopic("go-in"))
	defer cl.Close()
	for i := range records {
		cl.Produce(ctx, kgo.KeySliceRecord([]byte(fmt.Sprint(i)), []byte(fmt.Sprintf("value %d", i))), func(_ *kgo.Record, err error) {
			must(err, "produce")
		})
	}
	must(cl.Flush(ctx), "flush")
}

// Three members of a group share the topic; one leaves, and its share moves.
func members(ctx context.Context, found map[string]any) {
	var lock sync.Mutex
	owned := map[string]map[int32]bool{}
	seen := map[string]bool{}
	join := func(name string) *kgo.Client {
		owned[name] = map[int32]bool{}
		return client(kgo.ConsumerGroup("go-group"), kgo.ConsumeTopics("go-in"), kgo.InstanceID(name),
			kgo.Balancers(kgo.CooperativeStickyBalancer()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
			kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, given map[string][]int32) {
				lock.Lock()
				defer lock.Unlock()
				for _, p := range given["go-in"] {
					owned[name][p] = true
				}
			}),
			kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, taken map[string][]int32) {
				lock.Lock()
				defer lock.Unlock()
				for _, p := range taken["go-in"] {
					delete(owned[name], p)
				}
			}))
	}
	one, two, three := join("one"), join("two"), join("three")
	poll := func(clients ...*kgo.Client) {
		for _, cl := range clients {
			limited, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
			cl.PollFetches(limited).EachRecord(func(r *kgo.Record) { seen[string(r.Value)] = true })
			cancel()
		}
	}
	shares := func(names ...string) bool {
		lock.Lock()
		defer lock.Unlock()
		all, least := 0, 4
		for _, name := range names {
			all += len(owned[name])
			least = min(least, len(owned[name]))
		}
		return all == 4 && least >= 1
	}
	until := func(met func() bool, clients ...*kgo.Client) bool {
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
			if poll(clients...); met() {
				return true
			}
		}
		return false
	}
	found["three members share"] = until(func() bool { return shares("one", "two", "three") && len(seen) == records }, one, two, three)
	found["seen by the group"] = len(seen)
	_, err := kadm.NewClient(one).LeaveGroup(ctx, kadm.LeaveGroup("go-group").InstanceIDs("two"))
	must(err, "leave")
	two.Close()
	found["two members share"] = until(func() bool { return shares("one", "three") }, one, three)
	must(one.CommitUncommittedOffsets(ctx), "commit")
	for _, cl := range []*kgo.Client{one, three} {
		_, _ = kadm.NewClient(cl).LeaveGroup(ctx, kadm.LeaveGroup("go-group").InstanceIDs("one", "three"))
		cl.Close()
	}
}

// Consume, transform, produce, in transactions of which every third is aborted at first.
func copied(ctx context.Context, found map[string]any) {
	session, err := kgo.NewGroupTransactSession(kgo.SeedBrokers(seeds...), kgo.TransactionalID("go-copier"),
		kgo.DefaultProduceTopic("go-out"), kgo.ConsumerGroup("go-copy"), kgo.ConsumeTopics("go-in"),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.RequireStableFetchOffsets(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxPartitionBytes(4096))
	must(err, "transact session")
	commits, aborts, done := 0, 0, 0
	for round := 0; done < records; round++ {
		fetches := session.PollRecords(ctx, 200)
		must(fetches.Err0(), "poll")
		must(session.Begin(), "begin")
		count := 0
		fetches.EachRecord(func(r *kgo.Record) {
			session.Produce(ctx, kgo.KeySliceRecord(r.Key, append([]byte("copy of "), r.Value...)), nil)
			count++
		})
		committed, err := session.End(ctx, round%3 != 2)
		must(err, "end")
		if committed {
			commits++
			done += count
		} else {
			aborts++
		}
	}
	session.Close()
	found["commits and aborts"] = commits > 0 && aborts > 0
	reader := client(kgo.ConsumeTopics("go-out"), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer reader.Close()
	copies, all := map[string]int{}, 0
	for all < records {
		limited, cancel := context.WithTimeout(ctx, 5*time.Second)
		fetches := reader.PollFetches(limited)
		cancel()
		if fetches.Err0() != nil {
			break
		}
		fetches.EachRecord(func(r *kgo.Record) { copies[string(r.Value)]++; all++ })
	}
	found["copies"], found["different copies"] = all, len(copies)
}
