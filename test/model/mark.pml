/* Owners marked for rebuild, seen by nodes with old metadata. Owners A=0 B=1 C=2; A is there all the time.
 * Metadata: 0 {A,B,C}  1 {A,C, B to be rebuilt}  2 {A, B and C to be rebuilt}. B and C may be cut off from the metadata
 * for ever, but not from clients. One batch is written and then read, each at a quorum, by clients with a view of their own.
 * Property: a quorum read after a quorum write sees it (RYW).
 * Default: owners to be rebuilt count as absent members. -DV_NOTCOUNTED: a quorum is one of those that are left. */
byte meta, view[3], wrev, rrev, wview; bool has[3], sent, acked, rstart, saw; byte got, asked;
#define CNT(m) (((m)&1)+(((m)>>1)&1)+(((m)>>2)&1))
#define ACTIVE(r,n) ((n)==0 || ((n)==1 && r<1) || ((n)==2 && r<2))
#ifdef V_NOTCOUNTED
#define NEED(r) (r < 2 -> 2 : 1)
#else
#define NEED(r) 2
#endif
#define TAKES(n,r) (ACTIVE(r,n) && view[n] == r)
#define VIEW(n) :: view[n] < meta -> view[n]++; printf("node %d sees %d\n", n, view[n])
#define RECV(n) :: sent && !has[n] && TAKES(n,wrev) -> has[n] = true; got = got | (1<<n); printf("owner %d takes the batch sent at %d\n", n, wrev)
#define PULL(i,j) :: has[j] && !has[i] && view[i] == view[j] && ACTIVE(view[i],i) && ACTIVE(view[i],j) -> has[i] = true; printf("owner %d pulls from %d\n", i, j)
#define ASK(n) :: rstart && !saw && !(asked & (1<<n)) && TAKES(n,rrev) -> asked = asked | (1<<n); saw = has[n]; printf("reader at %d asks %d: %d\n", rrev, n, has[n])
active proctype sys() {
  do
  VIEW(0) VIEW(1) VIEW(2)
  :: wview < meta && !sent -> wview++
  :: rrev < meta && !rstart -> rrev++
  :: meta == 0 && view[0] == 0 -> meta = 1; printf("A marks B\n")
  :: meta == 1 && view[0] == 1 -> meta = 2; printf("A marks C\n")
  :: !sent -> sent = true; wrev = wview; printf("writer sends at %d\n", wrev)
  RECV(0) RECV(1) RECV(2)
  PULL(0,1) PULL(0,2) PULL(1,0) PULL(1,2) PULL(2,0) PULL(2,1)
  :: sent && !acked && CNT(got) >= NEED(wrev) -> acked = true; printf("acknowledged by set %d\n", got)
  :: acked && !rstart -> rstart = true; printf("read begins at %d\n", rrev)
  ASK(0) ASK(1) ASK(2)
  :: rstart && !saw && CNT(asked) >= NEED(rrev) -> printf("quorum read of set %d misses the batch\n", asked); assert(false)
  od
}
