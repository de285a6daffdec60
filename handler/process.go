package main

// process is what is done with one object, and the place for your own work: it
// gets the object's key and its whole body and returns how many records it
// found there. Its error fails the object: it ends the call, or stands in the
// answer's failures with the key, as the payload's onFailure says.
//
// Many calls run at once. The body's memory is used for another object as soon
// as process returns: copy what you keep of it.
func process(_ string, body []byte) (records int64, err error) {
	return countRecords(body)
}
