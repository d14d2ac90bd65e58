// Package model holds models of replication for the model checker spin, and a
// test that runs them: all states of the rules as they are must keep the
// promises, and every planted mistake must break one.
//
//   - varve.pml is one shard: log, files with and without versions, frontier,
//     fence, pulls, crashes, lost disks, copies, forgotten deletes.
//   - move.pml is a change of owners that nodes with old metadata see late.
//   - mark.pml is owners that are marked to copy their replica anew while they
//     see old metadata.
//
// Each V_ switch of a model plants one mistake; the comments in the files say
// which. With -trace the test prints each counter-example.
package model
