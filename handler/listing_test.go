package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// A listing has every object below a prefix exactly once, or it is an error.

// raw answers 200 with a body that S3 would never send.
func raw(body string) fault {
	return func(w http.ResponseWriter, _ *http.Request, _ *httptest.ResponseRecorder) {
		_, _ = io.WriteString(w, body)
	}
}

// pageOf is a page with these keys and this XML about the next page.
func pageOf(next string, keys ...string) fault {
	var b strings.Builder
	for _, key := range keys {
		fmt.Fprintf(&b, "<Contents><Key>%s</Key><Size>9</Size></Contents>", key)
	}
	return raw("<ListBucketResult>" + b.String() + next + "</ListBucketResult>")
}

const (
	truncated = "<IsTruncated>true</IsTruncated>"
	token     = "<NextContinuationToken>t</NextContinuationToken>"
)

func TestAPageThatIsNoListingIsAskedForAgainAndNeverTheEndOfIt(t *testing.T) {
	s3 := newS3(t)
	keys, _, found := orders("orders/", 2_500)
	s3.putOrders(t, keys)
	p := start(t, s3.settings()...)
	for name, f := range map[string]fault{
		"empty body":                raw(""),
		"HTML":                      raw("<!DOCTYPE html><html><body><p>Please log in</p></body></html>"),
		"HTML that is not XML":      raw("<!DOCTYPE html><html><head><meta charset=utf-8></head><body>Please<br>log in</body></html>"),
		"bytes":                     raw("\x00\x01"),
		"nothing that says yes":     raw("<ListBucketResult><IsTruncated>maybe</IsTruncated></ListBucketResult>"),
		"text":                      raw("OK"),
		"prolog alone":              raw(`<?xml version="1.0" encoding="UTF-8"?>`),
		"nothing of its end":        pageOf("", keys[1_000:1_010]...),
		"truncated without a token": pageOf(truncated, keys[1_000:1_010]...),
	} {
		s3.injureLists(func(n int64) fault { // the second page, once
			if n == 1 {
				return f
			}
			return nil
		})
		a := p.report(t, map[string]any{"prefix": "orders/"}, time.Minute)
		if a.ObjectsRead != len(keys) || a.RecordsRead != found || s3.lists.Load() != 4 {
			t.Errorf("%s: objects_read %d, records_read %d after %d pages; want %d, %d after 4", name, a.ObjectsRead, a.RecordsRead, s3.lists.Load(), len(keys), found)
		}
		s3.injureLists(func(n int64) fault { // the second page, always
			if n >= 1 {
				return f
			}
			return nil
		})
		if _, err := p.invoke(`{"prefix": "orders/", "onFailure": "report"}`, time.Minute); err == nil || !strings.Contains(err.Error(), "no valid page of a listing in 5 attempts") || s3.lists.Load() != 1+5 {
			t.Errorf("%s at every attempt: %v after %d requests, want an error after 1 page and 5 attempts", name, err, s3.lists.Load())
		}
	}
}

func TestNoKeyOfAListingIsReadTwice(t *testing.T) {
	s3 := newS3(t)
	keys, _, _ := orders("orders/", 1_500)
	s3.putOrders(t, keys)
	p := start(t, s3.settings()...)
	for name, c := range map[string]struct {
		plan plan
		want []string
	}{
		"pages that overlap": {
			func(n int64) fault {
				if n == 1 {
					return pageOf("<IsTruncated>false</IsTruncated>", keys[998:]...)
				}
				return nil
			},
			[]string{`the key "orders/000998.json" comes after "orders/000999.json"`, "S3 lists keys in the order of their UTF-8 bytes", "with keys"},
		},
		"the same page again":  {always(pageOf(truncated+token, keys[:2]...)), []string{`"orders/000000.json" comes after "orders/000001.json"`}},
		"the same token again": {always(pageOf(truncated + token)), []string{"two pages have the same continuation token"}},
		"two tokens in turn": {
			func(n int64) fault {
				return pageOf(fmt.Sprintf("%s<NextContinuationToken>t%d</NextContinuationToken>", truncated, n%2))
			},
			[]string{"two pages have the same continuation token"},
		},
		"no order":                  {always(pageOf("<IsTruncated>false</IsTruncated>", "orders/b", "orders/a")), []string{`"orders/a" comes after "orders/b"`}},
		"a key twice":               {always(pageOf("<IsTruncated>false</IsTruncated>", "orders/b", "orders/b")), []string{`"orders/b" comes after "orders/b"`}},
		"a startAfter that is void": {always(pageOf("<IsTruncated>false</IsTruncated>", keys[6:9]...)), []string{`"orders/000006.json" comes after "orders/000007.json"`}},
	} {
		s3.injureLists(c.plan)
		s3.injure(nil)
		payload := `{"prefix": "orders/"}`
		if strings.Contains(name, "startAfter") {
			payload = `{"prefix": "orders/", "startAfter": "orders/000007.json"}`
		}
		_, err := p.invoke(payload, time.Minute)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want an error with %q", name, err, want)
			}
		}
		if s3.gets.Load() != 0 {
			t.Errorf("%s: %d objects were read", name, s3.gets.Load())
		}
	}
}

func TestAnObjectThatABatchNamesTwiceIsReadOnceAndCounted(t *testing.T) {
	s3 := newS3(t)
	keys, _, found := orders("orders/", 20)
	s3.putOrders(t, keys)
	s3.put(t, "orders/bad", []byte("no JSON"))
	p := start(t, s3.settings()...)
	s3.injure(nil)
	payload := batch(slices.Concat(keys, []string{"orders/bad"}, keys[5:8]), map[string]any{"onFailure": "report"})
	a := p.report(t, payload, time.Minute)
	if a.ObjectsRead != len(keys) || a.RecordsRead != found || a.Duplicates != 3 || a.Failed != 1 || s3.gets.Load() != 21 {
		t.Errorf("objects_read %d, records_read %d, duplicates %d, failed %d after %d GETs; want 20, %d, 3, 1 after 21",
			a.ObjectsRead, a.RecordsRead, a.Duplicates, a.Failed, s3.gets.Load(), found)
	}
	// A failure, as the answer encodes it, can be an item of the next list.
	if f := a.Failures; len(f) != 1 || f[0].Size != 9 || f[0].StorageClass != "STANDARD" {
		t.Errorf("failures %+v, want size and storage class as the batch has them", f)
	}
}

func TestAnObjectThatIsKnownToBeTooLargeFailsByItselfUnasked(t *testing.T) {
	s3 := newS3(t)
	s3.put(t, "small", []byte("[1]"))
	p := start(t, s3.settings("AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512")...)
	const large = "<Contents><Key>large</Key><Size>1000000000</Size></Contents>"
	s3.injureLists(always(raw("<ListBucketResult>" + large + "<Contents><Key>small</Key><Size>3</Size></Contents><IsTruncated>false</IsTruncated></ListBucketResult>")))
	for way, payload := range map[string]string{
		"prefix": `{"prefix": "", "onFailure": "report"}`,
		"Items":  `{"BatchInput": {"onFailure": "report"}, "Items": [{"Key": "large", "Size": "1000000000"}, {"Key": "small", "Size": 3}]}`,
	} {
		s3.injure(nil)
		a := p.report(t, json.RawMessage(payload), time.Minute)
		if f := a.Failures; a.ObjectsRead != 1 || len(f) != 1 || f[0].Key != "large" || !strings.Contains(f[0].Error, "1000000512 bytes of memory") || f[0].Attempts != 0 || s3.gets.Load() != 1 {
			t.Errorf("%s: %d read, failures %+v after %d GETs; want one read, and the size of the large one without a request", way, a.ObjectsRead, f, s3.gets.Load())
		}
	}
}
