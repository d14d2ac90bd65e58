package mutant

// Bug names a planted bug: the rule that is broken.
type Bug string

// The bugs, by the place where they are planted.
const (
	// data/replica
	FloorWithoutPending Bug = "floor told without the batches that are not durable yet"
	FenceIgnored        Bug = "an owner takes batches below its fence first-hand"
	AppliedBeforeSync   Bug = "a batch counts as applied before it is durable"
	FrontierForgotten   Bug = "the frontier ignores an owner that does not answer"
	RevisionIgnored     Bug = "floors told under different owner sets are combined"
	JoinerInSync        Bug = "a replica that has met nobody serves reads"
	KnownWithoutAll     Bug = "the log is trimmed before every owner has it"
	OldStartTrusted     Bug = "what an owner said before its restart still counts"
	DeletesNotPulled    Bug = "deletes are not pulled"
	WipedNodeTrusted    Bug = "a wiped node comes back with its old identity"

	// tsm
	VersionsDroppedEarly    Bug = "a file drops its versions by the own clock"
	TombstoneForgottenEarly Bug = "a delete is forgotten before the frontier has passed it"
	PulledTwice             Bug = "a batch that files hold already is applied again"
	ArrivalOrder            Bug = "the last to arrive wins, not the highest version"
	SnapshotClaimsLog       Bug = "a snapshot claims batches that are only in the log"
	SnapshotWithoutDeletes  Bug = "a snapshot leaves out the deletes"

	// tsm, tsm/segment: what reading back a new file must find
	ValueChangedInWriting Bug = "a file gets another value than it was to get"
	CopiedFieldsSwapped   Bug = "a granule is copied with the values of another field"

	// coordinator/fanout
	JoinerCounts      Bug = "a joining owner counts for the level"
	HalfIsQuorum      Bug = "half of the owners are a quorum"
	RestampedTooSoon  Bug = "a batch is stamped anew though an owner may hold it"
	LocalAlwaysCounts Bug = "the failure of the local owner is ignored"
)
