package config

import "fmt"

// FirstStart is what a new cluster begins with.
type FirstStart struct {
	Database string
	Admin    Account
	User     Account // may read and write Database
	Reader   Account
	Writer   Account
}

// Account is a user to be made; the name is "" for none.
type Account struct {
	Name, Password string
}

func (f *FirstStart) check() error {
	for _, a := range []struct {
		setting string
		account Account
	}{{"admin-user", f.Admin}, {"user", f.User}, {"read-user", f.Reader}, {"write-user", f.Writer}} {
		if (a.account.Name == "") != (a.account.Password == "") {
			return fmt.Errorf("%s and its password are set together or not at all", a.setting)
		}
	}
	return nil
}
