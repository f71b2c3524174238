package processes

// LookAhead is how many deadlines are looked at at a time.
const LookAhead = lookAhead
