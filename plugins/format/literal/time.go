// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package literal

import (
	"math"

	"github.com/wasmill/wasmill/abi"
)

const (
	second = 1_000_000 // of EventTime
	day    = 86_400    // in seconds
)

// ParseTime reads a point in time by ISO 8601 and its common variants: 2001-01-31 or 2001/01/31,
// then, behind a T or a space, 23:59, 23:59:59 or 23:59:59.123456, then Z, +02:00, +0200 or +02. A
// time without a zone is UTC, a date without a time its midnight. Digits past the microsecond are
// cut off. A year outside 0000 to 9999 has a sign and six digits. Leap seconds are no times.
func ParseTime(text []byte) (abi.EventTime, bool) {
	days, at, ok := parseDate(text)
	if !ok {
		return 0, false
	}
	if at == len(text) {
		return compose(days, 0, 0)
	}
	if c := text[at]; c != 'T' && c != ' ' && c != 't' {
		return 0, false
	}
	clock, at, ok := parseClock(text, at+1)
	if !ok {
		return 0, false
	}
	micros := 0
	if at < len(text) && (text[at] == '.' || text[at] == ',') {
		if micros, at, ok = parseFraction(text, at+1); !ok {
			return 0, false
		}
	}
	if at == len(text) || at == len(text)-1 && text[at]|0x20 == 'z' {
		return compose(days, clock, micros)
	}
	offset, ok := parseZone(text[at:])
	if !ok {
		return 0, false
	}
	return compose(days, clock-offset, micros)
}

// compose adds up days since 1970, seconds and microseconds.
func compose(days, seconds, micros int) (abi.EventTime, bool) {
	s := int64(days)*day + int64(seconds)
	const limit = math.MaxInt64 / second
	// At both ends of the range the product may wrap, and the sum wrap back.
	t := s*second + int64(micros)
	return abi.EventTime(t), s >= -limit-1 && s <= limit && (s < 0) == (t < 0)
}

// two returns the number of two digits at text[at:], or one past every limit.
func two(text []byte, at int) int {
	if at+2 > len(text) {
		return math.MaxInt16
	}
	high, low := text[at]-'0', text[at+1]-'0'
	if high > 9 || low > 9 {
		return math.MaxInt16
	}
	return int(high)*10 + int(low)
}

// parseDate returns the days since 1970-01-01, and where the date ends.
func parseDate(text []byte) (days, at int, ok bool) {
	if len(text) < 10 {
		return 0, 0, false
	}
	year := two(text, 0)*100 + two(text, 2)
	at = 4
	if sign := text[0]; sign == '+' || sign == '-' {
		year = two(text, 1)*10_000 + two(text, 3)*100 + two(text, 5)
		at = 7
		if year > 999_999 || len(text) < 13 {
			return 0, 0, false
		}
		if sign == '-' {
			year = -year
		}
	} else if year > 9999 {
		return 0, 0, false
	}
	separator := text[at]
	if separator != '-' && separator != '/' || text[at+3] != separator {
		return 0, 0, false
	}
	month, dayOfMonth := two(text, at+1), two(text, at+4)
	if month < 1 || month > 12 || dayOfMonth < 1 || dayOfMonth > daysIn(year, month) {
		return 0, 0, false
	}
	return daysSince1970(year, month, dayOfMonth), at + 6, true
}

func daysIn(year, month int) int {
	if month == 2 {
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 30 + (month+month>>3)&1
}

// The calendar is computed in years from March to February, so that the leap day is the last of
// its year, and in eras of 400 years: 146,097 days each.
const (
	eraDays   = 146_097
	to1970    = 719_468 // days from 0000-03-01 to 1970-01-01
	yearOfEra = 400
)

func daysSince1970(year, month, dayOfMonth int) int {
	if month <= 2 {
		year--
		month += 12
	}
	era := floorDiv(year, yearOfEra)
	year -= era * yearOfEra
	dayOfYear := (153*(month-3)+2)/5 + dayOfMonth - 1
	return era*eraDays + year*365 + year/4 - year/100 + dayOfYear - to1970
}

// date is the inverse of daysSince1970.
func date(days int) (year, month, dayOfMonth int) {
	days += to1970
	era := floorDiv(days, eraDays)
	days -= era * eraDays
	year = (days - days/1460 + days/36_524 - days/146_096) / 365
	days -= 365*year + year/4 - year/100
	month = (5*days + 2) / 153
	dayOfMonth = days - (153*month+2)/5 + 1
	year += era * yearOfEra
	if month += 3; month > 12 {
		month -= 12
		year++
	}
	return year, month, dayOfMonth
}

func floorDiv(a, b int) int {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// parseClock reads hours, minutes and perhaps seconds at text[at:].
func parseClock(text []byte, at int) (seconds, end int, ok bool) {
	hour, minute := two(text, at), two(text, at+3)
	if hour > 23 || minute > 59 || text[at+2] != ':' {
		return 0, 0, false
	}
	at += 5
	if at == len(text) || text[at] != ':' {
		return hour*3600 + minute*60, at, true
	}
	s := two(text, at+1)
	if s > 59 {
		return 0, 0, false
	}
	return hour*3600 + minute*60 + s, at + 3, true
}

func parseFraction(text []byte, at int) (micros, end int, ok bool) {
	unit := second
	start := at
	for ; at < len(text) && text[at]-'0' <= 9; at++ {
		unit /= 10
		micros += unit * int(text[at]-'0')
	}
	return micros, at, at > start
}

// parseZone reads a whole text as an offset from UTC, in seconds.
func parseZone(text []byte) (int, bool) {
	if text[0] == ' ' {
		text = text[1:]
	}
	if len(text) == 1 {
		return 0, text[0]|0x20 == 'z'
	}
	if len(text) < 3 || text[0] != '+' && text[0] != '-' {
		return 0, false
	}
	hour, minute := two(text, 1), 0
	switch {
	case len(text) == 6 && text[3] == ':':
		minute = two(text, 4)
	case len(text) == 5:
		minute = two(text, 3)
	case len(text) != 3:
		return 0, false
	}
	if hour > 23 || minute > 59 {
		return 0, false
	}
	offset := hour*3600 + minute*60
	if text[0] == '-' {
		offset = -offset
	}
	return offset, true
}

// AppendTime appends a time by RFC 3339, in UTC, with as many digits after the second as it has:
// none, three or six. A year outside 0000 to 9999, which RFC 3339 lacks, gets a sign and six
// digits.
func AppendTime(dst []byte, t abi.EventTime) []byte {
	micros := int64(t) % second
	seconds := int64(t) / second
	if micros < 0 {
		micros += second
		seconds--
	}
	days := floorDiv(int(seconds), day)
	clock := int(seconds) - days*day
	year, month, dayOfMonth := date(days)
	dst = appendYear(dst, year)
	start := len(dst)
	dst = append(dst, "-00-00T00:00:00"...)
	text := dst[start:]
	put(text[1:], month)
	put(text[4:], dayOfMonth)
	put(text[7:], clock/3600)
	put(text[10:], clock/60%60)
	put(text[13:], clock%60)
	switch {
	case micros == 0:
	case micros%1000 == 0:
		dst = appendPadded(append(dst, '.'), uint64(micros/1000), 3)
	default:
		dst = appendPadded(append(dst, '.'), uint64(micros), 6)
	}
	return append(dst, 'Z')
}

// put writes a number of two digits.
func put(dst []byte, v int) { dst[0], dst[1] = '0'+byte(v/10), '0'+byte(v%10) }

func appendYear(dst []byte, year int) []byte {
	switch {
	case year < 0:
		return appendPadded(append(dst, '-'), uint64(-year), 6)
	case year > 9999:
		return appendPadded(append(dst, '+'), uint64(year), 6)
	}
	dst = append(dst, "0000"...)
	put(dst[len(dst)-4:], year/100)
	put(dst[len(dst)-2:], year%100)
	return dst
}
