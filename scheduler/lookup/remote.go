// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package lookup

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/table"
)

// remote is what a Join has besides for a lookup that takes its time. Requests are made by goroutines of
// their own; all else is done by the operator's.
type remote struct {
	Remote
	lookup                  operator.Lookup
	cache                   *cache
	now                     func() time.Time
	hits, requests, retries *atomic.Int64
	results                 chan result

	// Of the batch in hand.
	encoded  table.Table // its different keys, by number
	keys     []question  // the same
	numbers  []uint32    // of each row's key, none where a column of it is null
	open     []uint32    // the numbers of the keys that are to be asked for
	next     []uint32    // of each row the next one with its key, or none
	last     []uint32    // of each key its last row
	answers  []*operator.Answer
	started  int // of the open keys, those that have been asked for
	inFlight int

	value []byte
	rows  []uint32
}

// question is a key of the batch in hand, and what is known of it.
type question struct {
	row      uint32           // of the batch: the first with this key
	answer   *operator.Answer // whose rows [from, to) are the key's; nil where cached has them
	from, to int
	cached   []byte
	failure  error
}

// result is what became of the request for so many open keys from the first one on.
type result struct {
	first, count int
	answer       *operator.Answer
	failure      error // of each key
	final        error // of the job
}

func newRemote(ctx operator.Context, spec *Spec) (*remote, error) {
	lookup, err := spec.New(ctx)
	if err != nil {
		return nil, err
	}
	return &remote{
		Remote: *spec.Remote, lookup: lookup, cache: newCache(spec.Remote.Cache), now: ctx.Now,
		hits: ctx.Counters.Get("lookup_cache_hits"), requests: ctx.Counters.Get("lookup_requests"), retries: ctx.Counters.Get("lookup_retries"),
		results: make(chan result, spec.Remote.InFlight),
	}, nil
}

// ask looks the rows of the batch in hand up and sends them. It returns when no request is in flight.
func (j *Join) ask(ctx context.Context, out operator.Output) error {
	r := j.remote
	j.number()
	if r.Unordered {
		if err := j.sendKnown(ctx, out); err != nil {
			return err
		}
	}
	err := j.flyAll(ctx, out)
	if err == nil && !r.Unordered {
		err = j.sendAll(ctx, out)
	}
	for _, a := range r.answers {
		a.Rows.Release()
	}
	clear(r.answers)
	clear(r.keys)
	r.answers = r.answers[:0]
	return err
}

// number finds the different keys of the batch in hand, and which of them are to be asked for.
func (j *Join) number() {
	r, now := j.remote, j.remote.now()
	r.encoded.Reset()
	r.keys, r.numbers, r.open, r.next, r.last = r.keys[:0], r.numbers[:0], r.open[:0], r.next[:0], r.last[:0]
	for row := range j.batch.Rows() {
		r.next = append(r.next, none)
		if j.null(row) {
			r.numbers = append(r.numbers, none)
			continue
		}
		key := j.encode(row)
		n, fresh := r.encoded.Put(key, table.Hash(key))
		r.numbers = append(r.numbers, n)
		if !fresh {
			r.next[r.last[n]], r.last[n] = uint32(row), uint32(row)
			continue
		}
		r.last = append(r.last, uint32(row))
		q := question{row: uint32(row), cached: r.cache.get(key, now)}
		if r.keys = append(r.keys, q); q.cached == nil {
			r.open = append(r.open, n)
		} else {
			r.hits.Add(1)
		}
	}
}

// sendKnown sends the rows that no answer is needed for.
func (j *Join) sendKnown(ctx context.Context, out operator.Output) error {
	r := j.remote
	for row, n := range r.numbers {
		if n == none || r.keys[n].cached != nil {
			if err := j.join(ctx, row, out); err != nil {
				return err
			}
		}
	}
	return j.send(ctx, out)
}

// flyAll asks for all open keys. Where the job can't go on, it gives up what is in flight and waits for
// the end of it.
func (j *Join) flyAll(ctx context.Context, out operator.Output) (err error) {
	r := j.remote
	flight, cancel := context.WithCancel(ctx)
	defer cancel()
	r.started = 0
	for {
		for err == nil && r.inFlight < r.InFlight && r.started < len(r.open) {
			j.start(flight)
		}
		if r.inFlight == 0 {
			return err
		}
		res := <-r.results
		r.inFlight--
		if res.answer != nil {
			r.answers = append(r.answers, res.answer)
		}
		if err == nil {
			if err = j.land(ctx, &res, out); err != nil {
				cancel()
			}
		}
	}
}

// start begins the next request.
func (j *Join) start(ctx context.Context) {
	r := j.remote
	res := result{first: r.started, count: min(r.Keys, len(r.open)-r.started)}
	keys := j.compose(r.open[res.first : res.first+res.count])
	r.started += res.count
	r.inFlight++
	go func() {
		r.request(ctx, keys, &res)
		keys.Release()
		r.results <- res
	}()
}

// land takes the result of a request.
func (j *Join) land(ctx context.Context, res *result, out operator.Output) error {
	r := j.remote
	numbers := r.open[res.first : res.first+res.count]
	if res.final != nil {
		return fmt.Errorf("lookup: %w", res.final)
	}
	for _, n := range numbers {
		r.keys[n].failure = res.failure
	}
	if res.failure == nil {
		if err := j.settle(res.answer, numbers); err != nil {
			return err
		}
		j.remember(numbers)
	}
	if !r.Unordered {
		return nil
	}
	for _, n := range numbers {
		for row := r.keys[n].row; row != none; row = r.next[row] {
			if err := j.join(ctx, int(row), out); err != nil {
				return err
			}
		}
	}
	return j.send(ctx, out)
}

// request makes a request, again and again where it fails.
func (r *remote) request(ctx context.Context, keys *batch.Batch, res *result) {
	wait := r.Backoff
	for attempt := 0; ; attempt++ {
		r.requests.Add(1)
		answer, err := r.try(ctx, keys)
		var user *operator.Error
		switch {
		case err == nil:
			res.answer = answer
			return
		case ctx.Err() != nil:
			res.final = ctx.Err()
			return
		case errors.As(err, &user) && (user.Fault == operator.FaultModule || user.Fault == operator.FaultConfig):
			res.final = err
			return
		case attempt == r.Retries && attempt > 0:
			res.failure = fmt.Errorf("the lookup failed %d times, at last: %w", attempt+1, err)
			return
		case attempt == r.Retries:
			res.failure = fmt.Errorf("the lookup failed: %w", err)
			return
		}
		r.retries.Add(1)
		if err := sleep(ctx, wait); err != nil {
			res.final = err
			return
		}
		wait = min(2*wait, maxBackoff)
	}
}

// try makes a request once.
func (r *remote) try(ctx context.Context, keys *batch.Batch) (*operator.Answer, error) {
	if r.Timeout == 0 {
		return r.lookup.Get(ctx, keys)
	}
	timed, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	answer, err := r.lookup.Get(timed, keys)
	if err != nil && errors.Is(timed.Err(), context.DeadlineExceeded) && ctx.Err() == nil {
		return nil, fmt.Errorf("no answer within %v", r.Timeout)
	}
	return answer, err
}

func sleep(ctx context.Context, t time.Duration) error {
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
