// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package lookup

import (
	"context"
	"encoding/binary"
	"errors"

	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// compose returns keys of the batch in hand as those of a request.
func (j *Join) compose(numbers []uint32) *batch.Batch {
	r := j.remote
	j.parts = j.parts[:0]
	for _, col := range j.spec.On {
		j.parts = append(j.parts, batch.Part{From: j.batch, Column: col})
	}
	view := j.ctx.Pool.Compose(j.spec.Keys, j.batch, j.parts)
	defer view.Release()
	r.rows = r.rows[:0]
	for _, n := range numbers {
		r.rows = append(r.rows, r.keys[n].row)
	}
	return j.ctx.Pool.Take(view, r.rows)
}

var errAnswer = errors.New("lookup: the answer does not fit the request")

// settle gives each of the keys of a request its part of the answer.
func (j *Join) settle(a *operator.Answer, numbers []uint32) error {
	r := j.remote
	if len(a.Origin) != a.Rows.Rows() || !a.Rows.Schema.Equal(j.spec.Rows) {
		return errAnswer
	}
	for _, n := range numbers {
		r.keys[n].answer = a
	}
	for row := 0; row < len(a.Origin); {
		key, from := a.Origin[row], row
		for row < len(a.Origin) && a.Origin[row] == key {
			row++
		}
		if int(key) >= len(numbers) || row < len(a.Origin) && a.Origin[row] < key {
			return errAnswer
		}
		q := &r.keys[numbers[key]]
		q.from, q.to = from, row
	}
	for _, f := range a.Failed {
		if f.Row < 0 || f.Row >= len(numbers) {
			return errAnswer
		}
		r.keys[numbers[f.Row]].failure = f.Reason
	}
	return nil
}

// sendAll sends all rows of the batch in hand, in order.
func (j *Join) sendAll(ctx context.Context, out operator.Output) error {
	for row := range j.batch.Rows() {
		if err := j.join(ctx, row, out); err != nil {
			return err
		}
	}
	return j.send(ctx, out)
}

// join appends the results of a row.
func (j *Join) join(ctx context.Context, row int, out operator.Output) error {
	n := j.remote.numbers[row]
	if n == none {
		return j.miss(ctx, row, out)
	}
	q := &j.remote.keys[n]
	switch {
	case q.failure != nil:
		return out.Fail(ctx, j.batch, row, q.failure)
	case q.cached != nil:
		return j.joinCached(ctx, row, q.cached, out)
	case q.from == q.to:
		return j.miss(ctx, row, out)
	}
	for match := q.from; match < q.to; match++ {
		for i, col := range j.spec.Columns {
			j.added.Column(i).AppendRow(&q.answer.Rows.Columns[col], match)
		}
		if err := j.end(ctx, row, out); err != nil {
			return err
		}
	}
	return nil
}

// remember puts the answers for keys into the cache.
func (j *Join) remember(numbers []uint32) {
	r := j.remote
	if r.Cache.Keys == 0 {
		return
	}
	now := r.now()
	for _, n := range numbers {
		q := &r.keys[n]
		if q.failure != nil {
			continue
		}
		r.value = binary.AppendUvarint(r.value[:0], uint64(q.to-q.from))
		for row := q.from; row < q.to; row++ {
			for _, col := range j.spec.Columns {
				r.value = batch.AppendValue(r.value, &q.answer.Rows.Columns[col], row)
			}
		}
		r.cache.put(r.encoded.Key(n), r.value, now)
	}
}

// joinCached appends the results of a row whose key has a cached answer.
func (j *Join) joinCached(ctx context.Context, row int, answer []byte, out operator.Output) error {
	count, size := binary.Uvarint(answer)
	if count == 0 {
		return j.miss(ctx, row, out)
	}
	answer = answer[size:]
	for range count {
		var err error
		for i := range j.spec.Columns {
			if answer, err = j.added.Column(i).AppendValue(answer); err != nil {
				return err
			}
		}
		if err := j.end(ctx, row, out); err != nil {
			return err
		}
	}
	return nil
}
