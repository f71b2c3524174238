// Package httpapi is version 1 of Tenure's HTTP interface: routes, their
// permission decisions, problem details, sign-in, the OpenAPI document, and the
// pages that links in mails lead to.
//
// Every route is made by add, which wants an explicit Access: there is no
// default. What a route may answer with stands in the OpenAPI document, from
// the same values.
//
// The package keeps nothing that matters: a process that is killed at any point
// loses the counts of the throttle and the requests under way. Of those, a
// client that sends an Idempotency-Key learns the outcome by sending the
// request again.
package httpapi
