package main

// process handles one object; put your own work here. It gets the object's key
// and its complete body, and returns the number of records in it. An error
// fails the object: depending on the payload's onFailure, it ends the call or
// is listed with the key in the answer's failures.
//
// process runs concurrently. The body's memory is reused for another object as
// soon as process returns: copy any part of it that you keep.
func process(_ string, body []byte) (records int64, err error) {
	return countRecords(body)
}
