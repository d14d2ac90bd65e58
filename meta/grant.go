package meta

import (
	"cmp"
	"slices"
)

// Grant is what a user may do with one database. One that was revoked stays,
// with NoPrivileges, as InfluxDB shows it.
type Grant struct {
	Database  uint64 // uid: a database of the same name made later is another
	Privilege Privilege
}

// Privilege is a set of what can be done with a database.
type Privilege uint8

// The privileges, of which AllPrivileges is both others.
const (
	NoPrivileges Privilege = iota
	Read
	Write
	AllPrivileges
)

// PrivilegeOn gives what grants, sorted by database, say of one.
func PrivilegeOn(grants []Grant, database uint64) Privilege {
	if i, ok := grantIndex(grants, database); ok {
		return grants[i].Privilege
	}
	return NoPrivileges
}

func grantIndex(grants []Grant, database uint64) (int, bool) {
	return slices.BinarySearchFunc(grants, database, func(g Grant, uid uint64) int { return cmp.Compare(g.Database, uid) })
}

// privilegeNames are the privileges as they are stored.
var privilegeNames = [...]string{NoPrivileges: "none", Read: "read", Write: "write", AllPrivileges: "all"}

func grantsToRecords(grants []Grant) []grantRecord {
	var out []grantRecord
	for _, g := range grants {
		out = append(out, grantRecord{g.Database, privilegeNames[g.Privilege]})
	}
	return out
}

func decodeGrants(records []grantRecord) ([]Grant, error) {
	var out []Grant
	for _, r := range records {
		p := slices.Index(privilegeNames[:], r.Privilege)
		if p < 0 || len(out) > 0 && out[len(out)-1].Database >= r.Database {
			return nil, corrupt("privilege %q on database %d", r.Privilege, r.Database)
		}
		out = append(out, Grant{r.Database, Privilege(p)})
	}
	return out, nil
}

// DatabaseGrant is a Grant of which the database is known by name.
type DatabaseGrant struct {
	Database  string
	Privilege Privilege
}

// grantsOn gives the grants on databases that there are.
func grantsOn(now *Snapshot, on []DatabaseGrant) ([]Grant, error) {
	var out []Grant
	for _, g := range on {
		d := now.Database(g.Database)
		if d == nil {
			return nil, databaseNotFound(g.Database)
		}
		i, ok := grantIndex(out, d.UID)
		if !ok {
			out = slices.Insert(out, i, Grant{Database: d.UID})
		}
		out[i].Privilege |= g.Privilege
	}
	return out, nil
}
