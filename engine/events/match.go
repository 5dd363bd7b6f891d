package events

import (
	"slices"
	"strings"

	"github.com/moby/moby/api/types/events"
)

// match applies the filters: every key must be met by one of its values, labels
// by all of theirs. A key that names an object type ("container") is met by whatever
// has an ID or a name that begins so, and one that is not known by everything, as in docker.
func (o *Options) match(msg events.Message) bool {
	for key, values := range o.Filters {
		if len(values) == 0 {
			continue
		}
		given := o.Filters.Values(key) // also what came with false, which exact comparisons do not accept
		ok := false
		switch key {
		case "type":
			ok = slices.Contains(values, string(msg.Type))
		case "event":
			ok = slices.ContainsFunc(values, func(v string) bool { return matchAction(v, string(msg.Action)) })
		case "scope":
			ok = slices.Contains(values, msg.Scope)
		case "label":
			ok = !slices.ContainsFunc(given, func(v string) bool { return !hasLabel(msg, v) })
		case "image":
			ok = matchImage(msg, given)
		case "container", "volume", "network", "daemon", "plugin", "node", "service", "secret", "config":
			ok = matchActor(msg, given)
		default:
			ok = true
		}
		if !ok {
			return false
		}
	}
	return true
}

// matchAction also lets "exec_start" stand for "exec_start: sh -c …" and
// "health_status" for "health_status: healthy".
func matchAction(want, action string) bool {
	return action == want || strings.HasPrefix(action, want+":")
}

func hasLabel(msg events.Message, want string) bool {
	key, value, withValue := strings.Cut(want, "=")
	got, ok := msg.Actor.Attributes[key]
	return ok && (!withValue || got == value)
}

func matchActor(msg events.Message, refs []string) bool {
	return slices.ContainsFunc(refs, func(ref string) bool {
		return strings.HasPrefix(msg.Actor.ID, ref) || strings.HasPrefix(msg.Actor.Attributes["name"], ref)
	})
}

// matchImage takes image events by ID or name, and container events by the
// image they name; a reference without tag stands for all its tags.
func matchImage(msg events.Message, refs []string) bool {
	name := msg.Actor.Attributes["name"]
	if msg.Type != events.ImageEventType {
		name = msg.Actor.Attributes["image"]
	}
	return slices.ContainsFunc(refs, func(ref string) bool {
		return name != "" && (name == ref || untagged(name) == ref) || msg.Type == events.ImageEventType && msg.Actor.ID == ref
	})
}

func untagged(ref string) string {
	if i := strings.LastIndexByte(ref, ':'); i > strings.LastIndexByte(ref, '/') {
		return ref[:i]
	}
	return ref
}
