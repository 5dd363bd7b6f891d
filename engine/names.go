package engine

import (
	"crypto/rand"
	"encoding/hex"
	mrand "math/rand/v2"
	"strconv"
)

// A container that nobody names is called after how a ship may be and what
// may lie in a harbour.
var (
	adjectives = []string{
		"able", "agile", "amber", "azure", "bold", "brave", "breezy", "bright", "brisk", "calm", "candid", "clear",
		"copper", "coral", "crisp", "daring", "deft", "drifting", "eager", "fair", "fleet", "gallant", "gentle",
		"gilded", "golden", "hardy", "hasty", "hushed", "idle", "ivory", "jolly", "keen", "kind", "lively", "lone",
		"loyal", "lucid", "mellow", "merry", "misty", "nimble", "noble", "northern", "patient", "placid", "plucky",
		"proud", "quick", "quiet", "ready", "restless", "rolling", "rugged", "rusty", "salty", "serene", "sharp",
		"silent", "silver", "sleek", "sober", "southern", "spry", "stately", "steady", "stout", "sturdy", "sunlit",
		"swift", "tidal", "tidy", "tranquil", "trim", "trusty", "upbeat", "vivid", "wakeful", "warm", "weathered",
		"wistful", "witty", "young", "zesty",
	}
	nouns = []string{
		"anchor", "barge", "bark", "beacon", "bell", "bollard", "bosun", "bow", "breeze", "brig", "buoy", "cabin",
		"capstan", "caravel", "catboat", "clipper", "coble", "compass", "coracle", "crane", "current", "cutter",
		"davit", "deck", "derrick", "dhow", "dinghy", "dock", "dory", "drifter", "ferry", "fender", "fjord", "frigate",
		"galleon", "galley", "gangway", "gull", "harbor", "hatch", "hawser", "heron", "hull", "inlet", "jetty", "jib",
		"keel", "ketch", "lagoon", "lantern", "lighter", "lugger", "mast", "mooring", "oar", "osprey", "packet",
		"pelican", "pennant", "petrel", "pier", "pilot", "pinnace", "plover", "prow", "quay", "rudder", "sail", "schooner",
		"sextant", "skiff", "sloop", "spar", "stern", "tern", "tide", "tiller", "trawler", "tug", "wharf", "wherry",
		"winch", "windlass", "yawl",
	}
)

// randomName makes up a name; from the third try on with a number, which grows
// with the tries, as names get scarce.
func randomName(try int) string {
	name := adjectives[mrand.IntN(len(adjectives))] + "_" + nouns[mrand.IntN(len(nouns))]
	if try > 2 {
		name += strconv.Itoa(mrand.IntN(10 * try))
	}
	return name
}

// newID returns 64 random hexadecimal digits. Like docker it avoids IDs whose
// first twelve digits are all decimal: as a host name that would be a number.
func newID() string {
	var b [32]byte
	for {
		rand.Read(b[:]) // never fails (Go 1.24)
		id := hex.EncodeToString(b[:])
		if _, err := strconv.ParseInt(id[:12], 10, 64); err != nil {
			return id
		}
	}
}
