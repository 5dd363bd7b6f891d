package network

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"
)

// The options of Docker's bridge driver that mean something here.
const (
	optName        = "com.docker.network.bridge.name"
	optDefault     = "com.docker.network.bridge.default_bridge"
	optICC         = "com.docker.network.bridge.enable_icc"
	optMasquerade  = "com.docker.network.bridge.enable_ip_masquerade"
	optHostBinding = "com.docker.network.bridge.host_binding_ipv4"
	optMTU         = "com.docker.network.driver.mtu"
	optEnable4     = "com.docker.network.enable_ipv4" // createSpec of the engine reads them
	optEnable6     = "com.docker.network.enable_ipv6"
)

// maxDevice is how long the name of a device may be (IFNAMSIZ with its zero byte).
const maxDevice = 15

// applyOptions sets what n.Options say. An option of Docker's that this engine
// does not have is an error rather than ignored; labels of other programs pass.
func (n *Network) applyOptions() error {
	for key, value := range n.Options {
		var err error
		switch key {
		case optName:
			if value == "" || len(value) > maxDevice || strings.ContainsAny(value, "/ \t\n:%") || value == "." || value == ".." {
				// The kernel takes %d for a number that it chooses.
				err = fmt.Errorf("the name of a device has 1 to %d characters and none of / : %% or white space", maxDevice)
			}
			n.Device = value
		case optICC:
			var on bool
			on, err = strconv.ParseBool(value)
			n.Isolated = !on
		case optMasquerade:
			var on bool
			on, err = strconv.ParseBool(value)
			n.NoMasquerade = !on
		case optHostBinding:
			n.HostBinding, err = netip.ParseAddr(value)
			if err == nil && !n.HostBinding.Is4() {
				err = fmt.Errorf("it is not an IPv4 address")
			}
		case optMTU:
			n.MTU, err = strconv.Atoi(value)
			if err == nil && (n.MTU < 68 || n.MTU > 65535) {
				err = fmt.Errorf("an MTU is 68 to 65535 bytes")
			}
		case optMode4:
			n.Gateway4, err = n.gatewayMode(value)
		case optMode6:
			n.Gateway6, err = n.gatewayMode(value)
		case optInhibit4:
			var on bool
			if on, err = strconv.ParseBool(value); on {
				n.Gateway4 = Elsewhere
			}
		case optEnable4, optEnable6:
		case optDefault:
			err = fmt.Errorf("only the network %s is the default one", Bridge)
		default:
			if strings.HasPrefix(key, "com.docker.network.") {
				err = fmt.Errorf("this engine does not have the option")
			}
		}
		if err != nil {
			return fmt.Errorf("create network %s with option %s=%s: %w: %w", n.Name, key, value, err, errdefs.ErrInvalidArgument)
		}
	}
	return nil
}

// ShownOptions are n's options as Docker shows them: those of the default network
// are all spelled out.
func (n *Network) ShownOptions() map[string]string {
	out := map[string]string{}
	for k, v := range n.Options {
		out[k] = v
	}
	if n.Default() {
		out[optName], out[optMTU], out[optDefault] = n.Device, strconv.Itoa(n.MTU), "true"
		out[optICC], out[optMasquerade], out[optHostBinding] = "true", "true", "0.0.0.0"
	}
	return out
}
