//! The description of the API: to what each endpoint says of itself comes what is answered around it, by the door, the reader of
//! requests and the idempotency desk. A status that is not described here is a bug (`tests/bad-clients`).

use crate::routes::{Access, ROUTES, Route};
use axum::http::Method;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, ResponseBuilder};

/// The media type of every refusal (RFC 9457).
const PROBLEM: &str = "application/problem+json";

/// Adds what every endpoint of a kind may answer.
pub(crate) fn complete(document: &mut OpenApi) {
    for route in &ROUTES {
        let operation = document.paths.paths.get_mut(route.path).and_then(|item| operation(item, &route.method));
        if let Some(operation) = operation {
            for (status, why) in around(route, operation) {
                let answers = &mut operation.responses.responses;
                answers
                    .entry(status.to_owned())
                    .or_insert_with(|| RefOr::T(ResponseBuilder::new().description(why).build()));
            }
            as_problems(operation);
        }
    }
}

/// Refusals that no handler makes.
fn around(route: &Route, operation: &Operation) -> Vec<(&'static str, &'static str)> {
    let keyed = matches!(route.access, Access::Role(_));
    let acts = route.method != Method::GET;
    let mut answers = vec![("503", "not available just now, or too slow: ask again, under the same Idempotency-Key")];
    if keyed {
        answers.push(("401", "no key, or one that is revoked"));
        answers.push(("403", "the key's role does not allow it"));
    }
    if keyed && acts {
        answers.push(("400", "the request cannot be read, or a field of it is wrong"));
        answers.push(("413", "the body is too long"));
    }
    if route.method == Method::POST {
        answers.push(("409", "the Idempotency-Key was used for another request, or its first one still runs"));
    }
    if operation.request_body.is_some() {
        answers.push(("415", "the body has another media type than this takes"));
    }
    if operation.parameters.as_ref().is_some_and(|parameters| !parameters.is_empty()) {
        answers.push(("400", "a parameter is wrong"));
    }
    if route.path.contains('{') {
        answers.push(("404", "no such thing here"));
    }
    answers
}

/// Every refusal has one shape.
fn as_problems(operation: &mut Operation) {
    for (status, answer) in &mut operation.responses.responses {
        let RefOr::T(answer) = answer else { continue };
        if status.as_str() >= "400" {
            let problem = Content::new(Some(Ref::from_schema_name("Problem")));
            answer.content = [(PROBLEM.to_owned(), RefOr::T(problem))].into_iter().collect();
        }
    }
}

fn operation<'a>(item: &'a mut PathItem, method: &Method) -> Option<&'a mut Operation> {
    match *method {
        Method::GET => item.get.as_mut(),
        Method::POST => item.post.as_mut(),
        Method::PUT => item.put.as_mut(),
        Method::DELETE => item.delete.as_mut(),
        _ => None,
    }
}
