/* A move of a replica from C to D while one batch is written and read, with every node, the writer and the reader
 * each on its own, possibly old, metadata snapshot. Owners A=0 B=1 C=2 D=3.
 * Metadata: 0 {A,B,C}  1 {A,B,C, D joining}  2 {A,B,D, C leaving}  3 {A,B,D}, then C deletes its directory.
 * Properties: an acknowledged batch is in some owner's directory (DURABLE); a quorum read after a quorum write sees it (RYW).
 * Default: the mended rules. -DV_TEXT: the draft. -DONE: write at level one (no RYW expected).
 * -DV_NOREV: mended but owners do not compare revisions; -DV_NOJOINT: but no double quorum while an owner is leaving;
 * -DV_NOFINAL: but C goes without a last comparison. */
#ifdef V_TEXT
#define V_NOREV
#define V_NOJOINT
#define V_NOFINAL
#endif
#define OLD 7        /* A B C */
#define NEW 11       /* A B D */
byte meta, view[4], wrev, wview, rrev; bool has[4], gone, sent, acked, rstart;
byte got, asked; bool saw;
#define CNT(m) (((m)&1)+(((m)>>1)&1)+(((m)>>2)&1)+(((m)>>3)&1))
#define TARGET(r,n) ((n)<2 || ((n)==2 && r<3) || ((n)==3 && r>1))   /* a joining owner is sent nothing first-hand */
#ifdef V_NOJOINT
#define QUORUM(r,m) (r < 2 -> CNT((m)&OLD) >= 2 : CNT((m)&NEW) >= 2)
#else
#define QUORUM(r,m) ((r > 1 || CNT((m)&OLD) >= 2) && (r < 2 || CNT((m)&NEW) >= 2) && (r != 2 || CNT((m)&OLD) >= 2))
#endif
#define LEAVES(r,n) ((n)==2 && r==2)
#ifdef ONE
#define LEVEL(r,m) ((r < 2 && ((m)&OLD)) || (r >= 2 && ((m)&NEW)))
#else
#define LEVEL(r,m) QUORUM(r,m)
#endif
#ifdef V_NOREV
#define TAKES(n,r) TARGET(r,n)
#else
#define TAKES(n,r) (TARGET(r,n) && view[n] == r)    /* older: refused; newer: the owner reads the metadata first (VIEW step) */
#endif
#define DIR(n) (!((n)==2 && gone) && !((n)==3 && view[3]==0))
#define SYNCED ((!has[0] || has[3]) && (!has[1] || has[3]) && (!has[2] || has[3]))
#define ALLHAVE (!(has[0]||has[1]||has[2]||has[3]) || (has[0] && has[1] && has[3]))
#define VIEW(n) :: view[n] < meta -> view[n]++; printf("node %d sees %d\n", n, view[n])
#define RECV(n) :: sent && !has[n] && DIR(n) && TAKES(n,wrev) -> has[n] = true; got = got | (1<<n); printf("owner %d (sees %d) takes the batch sent at %d\n", n, view[n], wrev)
#define PULL(i,j) :: has[j] && !has[i] && DIR(i) && DIR(j) -> has[i] = true; printf("owner %d pulls from %d\n", i, j)
#define ASK(n) :: rstart && !saw && !(asked & (1<<n)) && DIR(n) && TAKES(n,rrev) -> asked = asked | (1<<n); saw = has[n]; printf("reader at %d asks %d: %d\n", rrev, n, has[n])
active proctype sys() {
  do
  VIEW(0) VIEW(1) VIEW(2) VIEW(3)
  :: wview < meta && !sent -> wview++
  :: rrev < meta && !rstart -> rrev++
  :: meta == 0 -> meta = 1; printf("D joining\n")
  :: meta == 1 && view[3] >= 1 && SYNCED -> meta = 2; printf("D active, C leaving\n")
#ifdef V_NOFINAL
  :: meta == 2 && !gone -> meta = 3; printf("C dropped\n")
  :: meta == 3 && view[2] == 3 && !gone -> gone = true; has[2] = false; printf("C deletes\n")
#else
  :: meta == 2 && view[0] >= 2 && view[1] >= 2 && view[2] >= 2 && view[3] >= 2 && ALLHAVE -> meta = 3; printf("C dropped\n")
  :: meta == 3 && view[2] == 3 && !gone && ALLHAVE -> gone = true; has[2] = false; printf("C deletes\n")
#endif
  :: !sent -> sent = true; wrev = wview; printf("writer sends at %d\n", wrev)
  RECV(0) RECV(1) RECV(2) RECV(3)
  PULL(0,1) PULL(0,2) PULL(0,3) PULL(1,0) PULL(1,2) PULL(1,3) PULL(2,0) PULL(2,1) PULL(2,3) PULL(3,0) PULL(3,1) PULL(3,2)
  :: sent && !acked && LEVEL(wrev, got) -> acked = true; printf("acknowledged by set %d\n", got)
  :: acked && !rstart -> rstart = true; printf("read begins at %d\n", rrev)
  ASK(0) ASK(1) ASK(2) ASK(3)
#ifndef ONE
  :: rstart && !saw && QUORUM(rrev, asked) -> printf("quorum read of set %d misses the batch\n", asked); assert(false)
#endif
  :: acked && !(has[0]||has[1]||has[2]||has[3]) -> printf("LOST\n"); assert(false)
  od
}
