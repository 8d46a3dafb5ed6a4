//! The errors of HTTP that a guest can be told, a part of those that WASI names.

use crate::host::bindings::wasi::http::types::{DnsErrorPayload, ErrorCode};

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $case:ident, $name:literal, $error:expr;)*) => {
        /// Why there is no response. None of them says more of the machine than its name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Code {
            $($(#[doc = $doc])* $case,)*
        }

        impl Code {
            /// Returns the name that WASI gives it.
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$case => $name,)*
                }
            }

            /// Reads a name.
            pub(crate) fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$case),)*
                    _ => None,
                }
            }
        }

        impl From<Code> for ErrorCode {
            fn from(code: Code) -> Self {
                match code {
                    $(Code::$case => $error,)*
                }
            }
        }
    };
}

codes! {
    /// Somebody's rules do not allow the request.
    Denied, "HTTP-request-denied", ErrorCode::HttpRequestDenied;
    /// The request names no target, or one that can be read in two ways.
    UriInvalid, "HTTP-request-URI-invalid", ErrorCode::HttpRequestUriInvalid;
    /// The URL is too long.
    UriTooLong, "HTTP-request-URI-too-long", ErrorCode::HttpRequestUriTooLong;
    /// The method is none.
    MethodInvalid, "HTTP-request-method-invalid", ErrorCode::HttpRequestMethodInvalid;
    /// The request has too many headers, or too large ones.
    RequestHeaders, "HTTP-request-header-section-size", ErrorCode::HttpRequestHeaderSectionSize(None);
    /// The request's body is too large, or not as long as it says.
    RequestBody, "HTTP-request-body-size", ErrorCode::HttpRequestBodySize(None);
    /// The guest made too many requests.
    TooMany, "connection-limit-reached", ErrorCode::ConnectionLimitReached;
    /// The host's name has no address.
    NoAddress, "DNS-error", ErrorCode::DnsError(DnsErrorPayload { rcode: None, info_code: None });
    /// The host has no address that requests may go to.
    Prohibited, "destination-IP-prohibited", ErrorCode::DestinationIpProhibited;
    /// Nobody listens there.
    Refused, "connection-refused", ErrorCode::ConnectionRefused;
    /// The connection ended, or never began.
    Terminated, "connection-terminated", ErrorCode::ConnectionTerminated;
    /// The server could not prove who it is.
    Certificate, "TLS-certificate-error", ErrorCode::TlsCertificateError;
    /// The response did not come in time.
    Timeout, "HTTP-response-timeout", ErrorCode::HttpResponseTimeout;
    /// The response has too many headers, or too large ones.
    ResponseHeaders, "HTTP-response-header-section-size", ErrorCode::HttpResponseHeaderSectionSize(None);
    /// The response's body is too large.
    ResponseBody, "HTTP-response-body-size", ErrorCode::HttpResponseBodySize(None);
    /// The response ended too early.
    Incomplete, "HTTP-response-incomplete", ErrorCode::HttpResponseIncomplete;
    /// What came is no response.
    Protocol, "HTTP-protocol-error", ErrorCode::HttpProtocolError;
    /// The request was not finished, or the machine failed.
    Internal, "internal-error", ErrorCode::InternalError(None);
}
