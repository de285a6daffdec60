package stepfunctions

// NewTuner is New with another backoff and another bound of an attempt at a call.
var NewTuner = newTuner
