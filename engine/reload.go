package engine

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"berth/engine/registry"

	"github.com/moby/moby/api/types/events"
)

// Reload changes the settings while the engine runs: new containers, new starts and
// new transfers go by them. On an error all is as before. It tells of itself by the
// event "reload", with docker's names of what there is here.
func (e *Engine) Reload(s Settings, registries registry.Config) error {
	if err := s.Check(); err != nil {
		return fmt.Errorf("reload: %w", err)
	}
	remote, err := registry.NewRemote(registries)
	if err != nil {
		return fmt.Errorf("reload: %w", err)
	}
	info, err := e.identity() // before anything changes, for it may fail
	if err != nil {
		return fmt.Errorf("reload: %w", err)
	}
	e.current.Store(&s)
	e.Images.registry.Store(registry.New(remote, e.store))
	list := func(values []string) string {
		if values == nil {
			values = []string{}
		}
		text, err := json.Marshal(values)
		if err != nil {
			panic(err) // strings can always be written
		}
		return string(text)
	}
	e.Events.Publish(events.DaemonEventType, events.ActionReload, info.ID, map[string]string{
		"name":                     info.Name,
		"labels":                   list(s.Labels),
		"registry-mirrors":         list(registries.Mirrors),
		"insecure-registries":      list(registries.Insecure),
		"max-concurrent-downloads": strconv.Itoa(registries.Downloads),
		"max-concurrent-uploads":   strconv.Itoa(registries.Uploads),
		"default-shm-size":         strconv.FormatInt(s.ShmSize, 10),
		"default-ipc-mode":         string(s.IpcMode),
		"log-driver":               s.LogDriver,
		"live-restore":             "true",
		"default-runtime":          s.defaultRuntime(),
		"runtimes":                 s.runtimeList(),
		"dns":                      strings.Trim(fmt.Sprint(s.DNS), "[]"),
	})
	return nil
}
