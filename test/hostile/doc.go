// Package hostile sends a server of 1 GB what nobody should: bombs, floods,
// nonsense and storms, one table of them. After each the server must have given
// the answer that the table expects, be alive, have its memory back and serve
// the next healthy request. The same table shows what InfluxDB does.
package hostile
