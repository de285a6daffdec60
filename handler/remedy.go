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

// remedies are those of S3's codes. Where an answer has no body, the SDK makes a
// code of its status: Forbidden, NotFound. Source: Amazon S3 API Reference,
// "Error responses".
var remedies = []struct {
	remedy string
	codes  []string
}{
	{"check the key: there is no such object, or no longer", []string{"NoSuchKey", "NotFound"}},
	{"check that the object exists and that the function may read it: S3 answers 403 for an object that does not exist to one that may not list the bucket", []string{"AccessDenied", "Forbidden"}},
	{"check BUCKET: there is no bucket of that name", []string{"NoSuchBucket"}},
	{"the object is archived: restore it before it is read", []string{"InvalidObjectState"}},
	{badCredentials, credentialCodes},
	{"set the clock: it differs from S3's by more than 15 minutes", []string{"RequestTimeTooSkewed", "RequestExpired"}},
	{"lower the concurrency, or spread the keys over more prefixes: S3 gives each 5,500 GETs a second", []string{"SlowDown", "ServiceUnavailable"}},
}

const (
	badCredentials = "check the credentials: a function's are its role's, and none of your own belong into AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"
	mayList        = "check that the function may list the bucket below this prefix: its role needs s3:ListBucket"
	mayDecrypt     = "the object is encrypted by a KMS key: the function's role needs kms:Decrypt on that key, and the key must be enabled"
	throttledKey   = "KMS did not keep up: give the bucket an S3 Bucket Key, which spares most requests to KMS, or ask for a higher quota of them"
	wayToS3        = "check the way to S3: a function in a VPC needs a subnet with an S3 gateway endpoint or a NAT in its route table, a security group that lets port 443 out, and a name service that knows the host"
)

// credentialCodes are refusals that hold whatever the object is.
var credentialCodes = []string{
	"ExpiredToken", "ExpiredTokenException", "InvalidToken", "TokenRefreshRequired", "InvalidAccessKeyId", "InvalidClientTokenId",
	"UnrecognizedClientException", "MissingSecurityHeader", "InvalidSecurity", "SignatureDoesNotMatch", "AuthorizationHeaderMalformed",
	"NotSignedUp", "AccountProblem", "AllAccessDisabled",
}

// remedy is a line of its own that says what to look at, or nothing.
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
	if status == 403 && (code == "" || code == "UnknownError") { // from something before S3
		code = "AccessDenied"
	}
	switch {
	case elsewhere(r) != "":
		return fmt.Sprintf("the bucket is in %s: run the function there, or set AWS_REGION", elsewhere(r))
	case passing(err) == aws.TrueTernary:
		return throttledKey
	case strings.HasPrefix(code, "KMS.") || status == 403 && strings.Contains(message, "kms:"):
		return mayDecrypt
	case listing && (code == "AccessDenied" || code == "Forbidden"):
		return mayList
	}
	for _, of := range remedies {
		if slices.Contains(of.codes, code) {
			return of.remedy
		}
	}
	return ""
}

// isDial tells whether no connection could be opened for the request.
func isDial(err error) bool {
	e, ok := errors.AsType[*net.OpError](err)
	return ok && e.Op == "dial"
}

// elsewhere is the bucket's region, where S3 answers that it is another one.
func elsewhere(r *awshttp.ResponseError) string {
	switch r.HTTPStatusCode() {
	case 301, 307, 400:
		return r.Response.Header.Get("X-Amz-Bucket-Region")
	}
	return ""
}

// refusal is S3's answer, nil where there is none, with its code and message.
func refusal(err error) (r *awshttp.ResponseError, code, message string) {
	if e, ok := errors.AsType[*awshttp.ResponseError](err); ok && e.HTTPStatusCode() != 0 {
		r = e
	}
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		code, message = e.ErrorCode(), e.ErrorMessage()
	}
	return r, code, message
}

// ofAll tells whether the error is not one object's: the others would fail by
// it too. So it is where nothing was answered because nothing could be sent: no
// credentials, an endpoint that is no URL, no way to S3.
func ofAll(err error) bool {
	if r, code, _ := refusal(err); r != nil {
		return elsewhere(r) != "" || slices.Contains(append(credentialCodes, "NoSuchBucket", "RequestTimeTooSkewed", "NoSuchAccessPoint"), code)
	}
	_, bounded := errors.AsType[*retry.MaxAttemptsError](err)
	_, received := errors.AsType[*bodyError](err)
	_, large := errors.AsType[*tooLarge](err)
	_, asked := errors.AsType[*smithy.OperationError](err)
	return asked && !bounded && !received && !large
}
