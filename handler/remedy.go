package main

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

// remedies lists remedies for S3's error codes. If a response has no body,
// the SDK derives the code from its status: Forbidden, NotFound. Source: Amazon S3
// API Reference, "Error responses".
var remedies = []struct {
	remedy string
	codes  []string
}{
	{"check the key: the object does not exist, or was deleted", []string{"NoSuchKey", "NotFound"}},
	{"check that the object exists and that the function may read it: S3 answers 403 for a missing object, too, if the function may not list the bucket", []string{"AccessDenied", "Forbidden"}},
	{noBucket, []string{"NoSuchBucket"}},
	{"the object is archived: restore it before you read it", []string{"InvalidObjectState"}},
	{badCredentials, credentialCodes},
	{"set the clock: it differs from S3's by more than 15 minutes", []string{"RequestTimeTooSkewed", "RequestExpired"}},
	{"lower the concurrency, or spread the keys over more prefixes: S3 allows 5,500 GETs a second for each prefix", []string{"SlowDown", "ServiceUnavailable"}},
}

const (
	noBucket       = "check BUCKET: there is no bucket of that name"
	badCredentials = "check the credentials: a function gets those of its role, so do not set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY or AWS_SESSION_TOKEN yourself"
	mayList        = "check that the function may list the bucket below this prefix: its role needs s3:ListBucket"
	mayDecrypt     = "the object is encrypted with a KMS key: the function's role needs kms:Decrypt on that key, and the key must be enabled"
	throttledKey   = "KMS did not keep up: give the bucket an S3 Bucket Key, which avoids most requests to KMS, or ask AWS for a higher quota of KMS requests"
	wayToS3        = "check the network path to S3: a function in a VPC needs a subnet with an S3 gateway endpoint or a NAT in its route table, a security group that allows outbound traffic to port 443, and DNS that resolves the host"
)

// credentialCodes lists the error codes that S3 would return for any object.
var credentialCodes = []string{
	"ExpiredToken", "ExpiredTokenException", "InvalidToken", "TokenRefreshRequired", "InvalidAccessKeyId", "InvalidClientTokenId",
	"UnrecognizedClientException", "MissingSecurityHeader", "InvalidSecurity", "SignatureDoesNotMatch", "AuthorizationHeaderMalformed",
	"NotSignedUp", "AccountProblem", "AllAccessDisabled",
}

// remedy returns a newline and the remedy for err, or "" if none is known.
func remedy(err error) string {
	if says := remedyOf(err); says != "" {
		return "\n" + says
	}
	return ""
}

func remedyOf(err error) string {
	if isDial(err) {
		return wayToS3
	}
	r, code, message := refusal(err)
	if r == nil {
		return ""
	}
	operation, ok := errors.AsType[*smithy.OperationError](err)
	listing := ok && operation.Operation() == "ListObjectsV2"
	status := r.HTTPStatusCode()
	if status == 403 && (code == "" || code == "UnknownError") { // not from S3 itself
		code = "AccessDenied"
	}
	switch {
	case otherRegion(r, code) != "":
		return fmt.Sprintf("the bucket is in %s: run the function there, or set AWS_REGION", otherRegion(r, code))
	case transientKMS(err) == aws.TrueTernary:
		return throttledKey
	case strings.HasPrefix(code, "KMS.") || status == 403 && strings.Contains(message, "kms:"):
		return mayDecrypt
	case listing && (code == "AccessDenied" || code == "Forbidden"):
		return mayList
	case listing && (code == "NoSuchKey" || code == "NotFound"): // a 404 of a listing is not about an object
		return noBucket
	}
	for _, of := range remedies {
		if slices.Contains(of.codes, code) {
			return of.remedy
		}
	}
	return ""
}

// isDial reports whether the request failed because no connection, to S3 or to a proxy,
// could be opened.
func isDial(err error) bool {
	e, ok := errors.AsType[*net.OpError](err)
	return ok && (e.Op == "dial" || e.Op == "proxyconnect")
}

// otherRegion returns the bucket's region if S3 answers that it is not the one
// asked, and "" otherwise. S3 names the region beside other errors too.
func otherRegion(r *awshttp.ResponseError, code string) string {
	switch status := r.HTTPStatusCode(); {
	case status == 301, status == 307, status == 400 && slices.Contains([]string{"AuthorizationHeaderMalformed", "BadRequest", "UnknownError", ""}, code):
		return r.Response.Header.Get("X-Amz-Bucket-Region")
	}
	return ""
}

// refusal returns S3's response, or nil if there is none, and the error's code
// and message.
func refusal(err error) (r *awshttp.ResponseError, code, message string) {
	if e, ok := errors.AsType[*awshttp.ResponseError](err); ok && e.HTTPStatusCode() != 0 {
		r = e
	}
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		code, message = e.ErrorCode(), e.ErrorMessage()
	}
	return r, code, message
}

// failsAll reports whether every other object would fail with the same error.
// That includes an error without a response because no request could be sent: no
// credentials, an endpoint that is not a URL, no network path to S3.
func failsAll(err error) bool {
	if r, code, _ := refusal(err); r != nil {
		return otherRegion(r, code) != "" || slices.Contains(append(credentialCodes, "NoSuchBucket", "RequestTimeTooSkewed", "NoSuchAccessPoint"), code)
	}
	_, bounded := errors.AsType[*retry.MaxAttemptsError](err)
	_, received := errors.AsType[*bodyError](err)
	_, large := errors.AsType[*tooLarge](err)
	_, asked := errors.AsType[*smithy.OperationError](err)
	return asked && !bounded && !received && !large
}
