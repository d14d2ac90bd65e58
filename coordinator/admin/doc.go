// Package admin is what operators see of a cluster and do to it: the routes
// under /varve/v1/, whose JSON is in package adminapi below, and which `varve
// ctl` uses.
//
// Every node answers all of them. What is metadata is changed there; what only
// another node knows or can do is asked of it over rpc, with methods of this
// package.
//
// Until there is authentication a request is answered only when it comes from
// this machine and from nothing that passes requests on, unless the server was
// told to serve everyone.
package admin
