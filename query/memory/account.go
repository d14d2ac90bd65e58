package memory

// Account is what one operator holds of a budget. The zero Account counts
// nowhere. One goroutine uses it at a time.
type Account struct {
	budget *Budget
	held   int64
}

// Account gives an account that holds nothing.
func (b *Budget) Account() Account { return Account{budget: b} }

// Set says that the operator holds so many bytes now. When it fails the account
// holds what it held before; see Budget.Take for the errors.
func (a *Account) Set(bytes int) error {
	n := int64(bytes)
	switch {
	case a.budget == nil:
	case n > a.held:
		if err := a.budget.Take(n - a.held); err != nil {
			return err
		}
	case n < a.held:
		a.budget.Give(a.held - n)
	}
	a.held = n
	return nil
}

// Add says that the operator holds so many bytes more, or less.
func (a *Account) Add(bytes int) error { return a.Set(int(a.held) + bytes) }

// Held gives the bytes that are held.
func (a *Account) Held() int { return int(a.held) }

// Close gives everything back.
func (a *Account) Close() { _ = a.Set(0) } // giving back does not fail
