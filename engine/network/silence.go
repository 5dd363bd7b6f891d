package network

import (
	"errors"
	"fmt"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// lingering is how long the kernel gets to take a veth away by itself.
const lingering = 3 * time.Second

// silence ends the traffic of a container that has ended. Its namespace, and with it the
// veth, may live on for minutes: as long as one of its connections waits for an answer
// that nobody is left to give up on. It would go on to answer for its address, which is
// somebody else's next, with the hardware address that follows from it. So the bridge
// neither listens to it from now on nor remembers what is behind it, and the veth goes
// later if the kernel has not taken it: unlike deleting it, which waits for some 15 ms
// for an RCU grace period, this is done at once.
func (m *Manager) silence(e *Endpoint) error {
	name := m.vethName(e)
	link, err := netlink.LinkByName(name)
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		return nil
	}
	if err == nil {
		err = closeBridgePort(link.Attrs().Index)
		time.AfterFunc(lingering, func() {
			if err := removeLink(name); err != nil {
				m.log.Error("removing the veth of a container that has ended", "device", name, "error", err)
			}
		})
	}
	if err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("silence %s of container %s: %w", name, e.ContainerID, err)
	}
	return nil
}

// closeBridgePort has a bridge drop what comes in at a port and send nothing there.
func closeBridgePort(index int) error {
	const disabled = 0 // BR_STATE_DISABLED of linux/if_bridge.h
	req := nl.NewNetlinkRequest(unix.RTM_SETLINK, unix.NLM_F_ACK)
	msg := nl.NewIfInfomsg(unix.AF_BRIDGE)
	msg.Index = int32(index)
	req.AddData(msg)
	port := nl.NewRtAttr(unix.IFLA_PROTINFO|unix.NLA_F_NESTED, nil)
	port.AddRtAttr(nl.IFLA_BRPORT_STATE, []byte{disabled})
	port.AddRtAttr(nl.IFLA_BRPORT_FLUSH, nil)
	req.AddData(port)
	_, err := req.Execute(unix.NETLINK_ROUTE, 0)
	return err
}
