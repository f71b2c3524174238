package commands

import (
	"context"
	"time"

	"tenure/domain"
	"tenure/domain/broker"
	"tenure/eventstore"
)

// allBrokers is the one stream of all brokers.
const allBrokers = "all"

// Brokers answers with what is known of the brokers, from the log itself.
func (c *Commands) Brokers(ctx context.Context) (broker.State, error) {
	s, _, err := c.brokers.load(ctx, allBrokers)
	return s, err
}

// PauseBroker stops publishing to a broker where it is, or goes on with it.
func (c *Commands) PauseBroker(ctx context.Context, r Request, name domain.BrokerName, paused bool) (Receipt, error) {
	return c.brokers.execute(ctx, allBrokers, r, func(s broker.State) ([]domain.Event, error) {
		return broker.Pause(s, name, paused), nil
	})
}

// ReplayBroker publishes everything after a position to a broker.
func (c *Commands) ReplayBroker(ctx context.Context, r Request, name domain.BrokerName, after eventstore.Position) (Receipt, error) {
	return c.brokers.execute(ctx, allBrokers, r, func(broker.State) ([]domain.Event, error) {
		return broker.Replay(name, uint64(after)), nil
	})
}

// BrokerFailed records that nothing can be published, and since when.
func (c *Commands) BrokerFailed(ctx context.Context, name domain.BrokerName, version int, cause string, since time.Time) error {
	_, err := c.brokers.execute(ctx, allBrokers, publishing, func(s broker.State) ([]domain.Event, error) {
		return broker.Fail(s, name, version, cause, since.UTC()), nil
	})
	return err
}

// BrokerReached records how far the publishing has got.
func (c *Commands) BrokerReached(ctx context.Context, name domain.BrokerName, version int, position eventstore.Position) error {
	_, err := c.brokers.execute(ctx, allBrokers, publishing, func(s broker.State) ([]domain.Event, error) {
		return broker.Reach(s, name, version, uint64(position)), nil
	})
	return err
}

var publishing = Request{Actor: domain.ByProcess("brokers")}
