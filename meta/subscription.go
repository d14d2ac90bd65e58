package meta

// Subscription is a copy of what is written to a policy, sent elsewhere. It is
// immutable.
type Subscription struct {
	Name         string // of one subscription of the policy
	Mode         SubscriptionMode
	Destinations []string // URLs: udp, http or https, with a port
}

// SubscriptionMode says which destinations get a write.
type SubscriptionMode string

// The modes of a subscription.
const (
	ToAll SubscriptionMode = "ALL"
	ToAny SubscriptionMode = "ANY" // one of them, in turn
)
