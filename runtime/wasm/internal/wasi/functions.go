// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasi

import (
	"encoding/binary"
	"math"
)

// functions are all functions but proc_exit, which has no result. Never written to.
var functions = []struct {
	name   string
	params string
	run    func(*call) errno
}{
	{"args_get", "ii", nothing},
	{"args_sizes_get", "ii", noStrings},
	{"clock_res_get", "ii", clockResolution},
	{"clock_time_get", "ili", clockTime},
	{"environ_get", "ii", nothing},
	{"environ_sizes_get", "ii", noStrings},
	{"fd_advise", "illi", noFile},
	{"fd_allocate", "ill", noFile},
	{"fd_close", "i", streamOnly},
	{"fd_datasync", "i", noFile},
	{"fd_fdstat_get", "ii", streamStatus},
	{"fd_fdstat_set_flags", "ii", streamOnly},
	{"fd_fdstat_set_rights", "ill", noFile},
	{"fd_filestat_get", "ii", fileStatus},
	{"fd_filestat_set_size", "il", noFile},
	{"fd_filestat_set_times", "illi", noFile},
	{"fd_pread", "iiili", noFile},
	{"fd_prestat_dir_name", "iii", noFile},
	{"fd_prestat_get", "ii", noFile},
	{"fd_pwrite", "iiili", noFile},
	{"fd_read", "iiii", read},
	{"fd_readdir", "iiili", noFile},
	{"fd_renumber", "ii", noFile},
	{"fd_seek", "ilii", seek},
	{"fd_sync", "i", noFile},
	{"fd_tell", "ii", seek},
	{"fd_write", "iiii", write},
	{"path_create_directory", "iii", noFile},
	{"path_filestat_get", "iiiii", noFile},
	{"path_filestat_set_times", "iiiilli", noFile},
	{"path_link", "iiiiiii", noFile},
	{"path_open", "iiiiillii", noFile},
	{"path_readlink", "iiiiii", noFile},
	{"path_remove_directory", "iii", noFile},
	{"path_rename", "iiiiii", noFile},
	{"path_symlink", "iiiii", noFile},
	{"path_unlink_file", "iii", noFile},
	{"poll_oneoff", "iiii", poll},
	{"proc_raise", "i", unknown},
	{"random_get", "ii", random},
	{"sched_yield", "", nothing},
	{"sock_accept", "iii", noFile},
	{"sock_recv", "iiiiii", noFile},
	{"sock_send", "iiiii", noFile},
	{"sock_shutdown", "ii", noFile},
}

func nothing(*call) errno { return success }

func unknown(*call) errno { return nosys }

// noFile answers what is asked of a file: there is none. To fd_prestat_get it says that no folder
// is open, which ends the search that guests begin with.
func noFile(*call) errno { return badf }

func noStrings(c *call) errno {
	if e := c.put32(c.u32(0), 0); e != success {
		return e
	}
	return c.put32(c.u32(1), 0)
}

// clockCount is how many clocks there are: 0 is the time of day, the others are monotonic.
const clockCount = 4

func clockResolution(c *call) errno {
	if c.u32(0) >= clockCount {
		return inval
	}
	return c.put64(c.u32(1), 1000) // the job's time is in microseconds
}

func clockTime(c *call) errno {
	if c.u32(0) >= clockCount {
		return inval
	}
	return c.put64(c.u32(2), c.now(c.u32(0)))
}

// now returns the time of a clock. The monotonic ones are never at 0, which Go's runtime takes for
// a broken clock.
func (c *call) now(clock uint32) uint64 {
	now := c.system.Now()
	if clock == 0 {
		return now
	}
	return later(now, later(1, *c.system.Slept()))
}

func later(at, by uint64) uint64 {
	if by > math.MaxInt64-at {
		return math.MaxInt64
	}
	return at + by
}

// Streams 0, 1 and 2 are standard input, output and error.
func (c *call) stream() bool { return c.u32(0) <= 2 }

func streamOnly(c *call) errno {
	if !c.stream() {
		return badf
	}
	return success
}

// The status of a terminal: a character device without the right to seek makes C libraries write
// line by line.
const (
	characterDevice = 2
	rightRead       = 1 << 1
	rightWrite      = 1 << 6
)

func streamStatus(c *call) errno {
	if !c.stream() {
		return badf
	}
	b, ok := c.in.Bytes(c.u32(1), 24)
	if !ok {
		return fault
	}
	clear(b)
	b[0] = characterDevice
	b[8] = rightWrite
	if c.u32(0) == 0 {
		b[8] = rightRead
	}
	return success
}

func fileStatus(c *call) errno {
	if !c.stream() {
		return badf
	}
	b, ok := c.in.Bytes(c.u32(1), 64)
	if !ok {
		return fault
	}
	clear(b)
	b[16] = characterDevice
	return success
}

func seek(c *call) errno {
	if !c.stream() {
		return badf
	}
	return spipe
}

// read reads from standard input, which is at its end.
func read(c *call) errno {
	if c.u32(0) != 0 {
		return badf
	}
	return c.put32(c.u32(3), 0)
}

// items returns an array of the guest's with count items of a size, at most mostItems of them.
func (c *call) items(ptr, count, size uint32) ([]byte, errno) {
	if count > mostItems {
		return nil, inval
	}
	c.in.Charge(int64(count) * vectorFuel)
	b, ok := c.in.Bytes(ptr, count*size)
	if !ok {
		return nil, fault
	}
	return b, success
}

func write(c *call) errno {
	fd := c.u32(0)
	if fd != 1 && fd != 2 {
		return badf
	}
	vectors, e := c.items(c.u32(1), c.u32(2), 8)
	if e != success {
		return e
	}
	written := uint32(0)
	for ; len(vectors) > 0; vectors = vectors[8:] {
		ptr, size := binary.LittleEndian.Uint32(vectors), binary.LittleEndian.Uint32(vectors[4:])
		p, ok := c.in.Bytes(ptr, size)
		if !ok || size > math.MaxInt32-written {
			return fault
		}
		c.in.Charge(int64(size) * byteFuel)
		c.system.Write(fd, p)
		written += size
	}
	return c.put32(c.u32(3), written)
}

func random(c *call) errno {
	p, ok := c.in.Bytes(c.u32(0), c.u32(1))
	if !ok {
		return fault
	}
	// In parts, so that the price of a part is paid before its work.
	for len(p) > 0 {
		part := p[:min(len(p), 1<<16)]
		c.in.Charge(int64(len(part)) * byteFuel)
		c.system.Random(part)
		p = p[len(part):]
	}
	return success
}

// A subscription and an event of poll_oneoff.
const (
	subscriptionSize = 48
	eventSize        = 32

	onClock  = 0 // the kind of a subscription
	absolute = 1 // a flag of one on a clock
)

// poll answers at once. Only clocks are waited for: the wait adds to the time that the guest has
// slept, so that a guest that waits for the clock sees it arrive.
func poll(c *call) errno {
	count := c.u32(2)
	if count == 0 {
		return inval
	}
	in, e := c.items(c.u32(0), count, subscriptionSize)
	if e != success {
		return e
	}
	out, ok := c.in.Bytes(c.u32(1), count*eventSize)
	if !ok {
		return fault
	}
	le := binary.LittleEndian
	least := uint64(math.MaxUint64)
	for i := range int(count) {
		s := in[i*subscriptionSize:]
		// Copied first: the guest may have laid both arrays over each other.
		user, kind, clock, timeout, flags := le.Uint64(s), s[8], le.Uint32(s[16:]), le.Uint64(s[24:]), le.Uint16(s[40:])
		event := out[i*eventSize : (i+1)*eventSize]
		clear(event)
		le.PutUint64(event, user)
		event[10] = kind
		if kind != onClock {
			le.PutUint16(event[8:], uint16(badf))
			least = 0
			continue
		}
		least = min(least, c.wait(clock, timeout, flags))
	}
	*c.system.Slept() = later(*c.system.Slept(), least)
	return c.put32(c.u32(3), count)
}

// wait returns how long a subscription on a clock waits.
func (c *call) wait(clock uint32, timeout uint64, flags uint16) uint64 {
	if flags&absolute == 0 {
		return timeout
	}
	now := c.now(clock)
	if timeout < now {
		return 0
	}
	return timeout - now
}
