package remotelog

import (
	"bytes"
	"encoding/binary"
	"os"
	"sort"
	"strconv"
	"time"

	"berth/shim/jsonlog"
	"berth/shim/wire"
)

// The severities of syslog that docker gives the two streams.
const (
	severityError = 3
	severityInfo  = 6
)

func severity(s jsonlog.Stream) int {
	if s == jsonlog.Stderr {
		return severityError
	}
	return severityInfo
}

// appendSyslog appends a message in one of the four forms that docker knows, with a
// newline at its end (RFC 6587, section 3.4.2):
//
//	""            <PRI>Mmm dd hh:mm:ss TAG[PID]: TEXT         what syslog's own library writes to /dev/log
//	rfc3164       <PRI>Mmm dd hh:mm:ss HOST TAG[PID]: TEXT
//	rfc5424       <PRI>1 RFC 3339 HOST TAG PID TAG - TEXT      in seconds, with the zone
//	rfc5424micro  the same, in microseconds
func appendSyslog(b []byte, to wire.LogRemote, s jsonlog.Stream, text []byte, at time.Time) []byte {
	b = append(b, '<')
	b = strconv.AppendInt(b, int64(to.Facility<<3|severity(s)), 10)
	b = append(b, '>')
	pid := strconv.Itoa(os.Getpid())
	if to.Format == "rfc5424" || to.Format == "rfc5424micro" {
		layout := time.RFC3339
		if to.Format == "rfc5424micro" {
			layout = "2006-01-02T15:04:05.000000Z07:00"
		}
		b = append(b, "1 "...)
		b = at.AppendFormat(b, layout)
		b = append(b, " "+to.Host+" "+to.Tag+" "+pid+" "+to.Tag+" - "...)
	} else {
		b = at.AppendFormat(b, time.Stamp)
		if to.Format == "rfc3164" {
			b = append(b, " "+to.Host...)
		}
		b = append(b, " "+to.Tag+"["+pid+"]: "...)
	}
	b = append(b, text...)
	if !bytes.HasSuffix(text, []byte{'\n'}) {
		b = append(b, '\n')
	}
	return b
}

// appendJournal appends an entry in journald's own protocol
// (systemd.io/JOURNAL_NATIVE_PROTOCOL).
func appendJournal(b []byte, to wire.LogRemote, s jsonlog.Stream, text []byte, whole bool, at time.Time) []byte {
	b = appendField(b, "PRIORITY", strconv.Itoa(severity(s)))
	b = appendField(b, "SYSLOG_IDENTIFIER", to.Tag)
	b = appendField(b, "SYSLOG_TIMESTAMP", at.Format(time.RFC3339Nano))
	if !whole {
		b = appendField(b, "CONTAINER_PARTIAL_MESSAGE", "true")
	}
	names := make([]string, 0, len(to.Fields))
	for name := range to.Fields {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		b = appendField(b, name, to.Fields[name])
	}
	return appendField(b, "MESSAGE", string(text))
}

// appendField appends NAME=VALUE, or the form with a length if there are newlines in it.
func appendField(b []byte, name, value string) []byte {
	b = append(b, name...)
	if bytes.IndexByte([]byte(value), '\n') < 0 {
		b = append(b, '=')
	} else {
		b = append(b, '\n')
		b = binary.LittleEndian.AppendUint64(b, uint64(len(value)))
	}
	b = append(b, value...)
	return append(b, '\n')
}
