//! What is refused, and what the refusal says.

use serde_json::{Value as Json, json};

use crate::limits;
use crate::value::{FunctionType, Type, Value, ValueError, binary, json, schema, wave};

fn ty(json: Json) -> Type {
    serde_json::from_value(json).expect("the test's type is valid")
}

fn resize() -> FunctionType {
    let options = json!({ "record": [
        { "name": "width", "type": "u32" },
        { "name": "label", "type": { "option": "string" } },
        { "name": "fit", "type": { "enum": ["cover", "contain"] } },
    ] });
    serde_json::from_value(json!({ "params": [
        { "name": "image", "type": { "list": "u8" } },
        { "name": "options", "type": options },
    ] }))
    .expect("the test's type is valid")
}

#[test]
fn arguments_say_where_and_what() {
    let refused = |args: Json| json::args_from_json(&resize(), &args).expect_err("refused").to_string();
    let image = json!({ "hex": "00ff" });
    for (args, message) in [
        (
            json!({ "image": image, "options": { "width": "wide", "fit": "cover" } }),
            "`args.options.width`: expected u32, found the string \"wide\"",
        ),
        (json!([image, { "width": -1, "fit": "cover" }]), "`args.options.width`: expected u32, found -1"),
        (json!([image, { "width": 1.5, "fit": "cover" }]), "`args.options.width`: expected u32, found 1.5"),
        (json!([image, { "fit": "cover" }]), "`args.options`: missing `width`, which is u32"),
        (
            json!([image, { "width": 1, "fit": "cover", "hight": 2 }]),
            "`args.options`: unknown name `hight`; expected one of `width`, `label`, `fit`",
        ),
        (
            json!([image, { "width": 1, "fit": "fill" }]),
            "`args.options.fit`: unknown name `fill`; expected one of `cover`, `contain`",
        ),
        (
            json!({ "image": image, "size": 1 }),
            "`args`: unknown name `size`; expected one of `image`, `options`",
        ),
        (json!([[1, 2, 256], {}]), "`args.image[2]`: expected u8, found 256"),
        (
            json!([{ "hex": "0" }, {}]),
            "`args.image`: expected {\"base64\": \"…\"}, {\"hex\": \"…\"} or an array of bytes, found `hex` that is not an even number of hexadecimal digits",
        ),
        (json!([image, {}, 3]), "`args`: expected 2 arguments, found 3"),
        (json!("x"), "`args`: expected an array by position or an object by name, found the string \"x\""),
    ] {
        assert_eq!(refused(args), message);
    }
}

#[test]
fn arguments_come_by_position_or_by_name() {
    let by_name = json!({ "image": { "base64": "AP8=" }, "options": { "width": 3, "fit": "contain" } });
    let by_position = json!([[0, 255], { "fit": "contain", "label": null, "width": "3" }]);
    let args = json::args_from_json(&resize(), &by_name).expect("valid");
    assert_eq!(json::args_from_json(&resize(), &by_position), Ok(args.clone()));
    let expected = vec![
        Value::Bytes(vec![0, 255]),
        Value::Record(vec![Value::U32(3), Value::Option(None), Value::Enum(1)]),
    ];
    assert_eq!(args, expected);
}

#[test]
fn integers_have_one_spelling_and_a_range() {
    for refused in ["+1", "01", "-0", "", "1.0", " 1", "1e3", "0x1", "18446744073709551616"] {
        assert!(json::from_json(&json!(refused), &Type::U64).is_err(), "{refused}");
    }
    assert_eq!(json::from_json(&json!("18446744073709551615"), &Type::U64), Ok(Value::U64(u64::MAX)));
    assert_eq!(json::from_json(&json!(3.0), &Type::U64), Ok(Value::U64(3)));
    assert!(json::from_json(&json!(1e300), &Type::U64).is_err());
    assert!(json::from_json(&json!(1e300), &Type::F32).is_err());
}

#[test]
fn depth_is_bounded() {
    let mut deep = Type::Bool;
    let mut value = json!(true);
    let mut bytes = vec![1];
    for _ in 0..=limits::VALUE_DEPTH_MAX {
        deep = Type::Tuple(vec![deep]);
        value = json!([value]);
    }
    assert!(matches!(json::from_json(&value, &deep), Err(ValueError::TooDeep { .. })));
    assert!(matches!(binary::decode(&bytes, &deep), Err(ValueError::TooDeep { .. })));
    let Type::Tuple(inner) = deep else { unreachable!("made above") };
    bytes.push(0);
    assert!(matches!(binary::decode(&bytes, &inner[0]), Err(ValueError::Encoding { offset: 1, .. })));
    assert_eq!(binary::decode(&bytes[..1], &inner[0]).map(|_| ()), Ok(()));
}

#[test]
fn the_number_of_nodes_is_bounded() {
    // Five bytes that claim four thousand million empty tuples.
    let empty = Type::List(Box::new(Type::Tuple(Vec::new())));
    let refused = binary::decode(&[0xff, 0xff, 0xff, 0xff, 0x0f], &empty);
    assert!(matches!(refused, Err(ValueError::TooMany { .. })));
    // And of bools, of which there is none behind the claim.
    let bools = Type::List(Box::new(Type::Bool));
    assert!(matches!(
        binary::decode(&[0xff, 0xff, 0xff, 0xff, 0x0f], &bools),
        Err(ValueError::Encoding { offset: 5, .. })
    ));
}

#[test]
fn values_of_other_types_are_refused() {
    let point = ty(json!({ "record": [{ "name": "x", "type": "s32" }] }));
    for value in [
        Value::U8(1),
        Value::Record(Vec::new()),
        Value::Record(vec![Value::U32(1)]),
        Value::Tuple(vec![Value::S32(1)]),
    ] {
        assert!(value.check(&point).is_err(), "{value:?}");
        assert!(binary::encode(&value, &point).is_err() && json::to_json(&value, &point).is_err());
    }
    // A list of bytes has one representation.
    let bytes = ty(json!({ "list": "u8" }));
    assert!(Value::List(vec![Value::U8(1)]).check(&bytes).is_err());
    assert_eq!(Value::Bytes(vec![1]).check(&bytes), Ok(()));
    let flags = ty(json!({ "flags": ["read", "write"] }));
    for set in [vec![2], vec![1, 0], vec![0, 0]] {
        assert!(Value::Flags(set).check(&flags).is_err());
    }
    assert!(Value::Enum(2).check(&ty(json!({ "enum": ["a", "b"] }))).is_err());
}

#[test]
fn wave_says_where() {
    let point = ty(
        json!({ "record": [{ "name": "x", "type": "s32" }, { "name": "y", "type": { "option": "s32" } }] }),
    );
    let refused = |text: &str| wave::from_wave(text, &point).expect_err("refused").to_string();
    assert_eq!(refused("{x: 1"), "not valid WAVE at byte 5: unexpected end of input");
    assert_eq!(refused("{x: true}"), "`value.x`: expected s32, found true");
    assert_eq!(refused("{y: none}"), "`value`: missing `x`, which is s32");
    assert_eq!(refused("{x: 1, z: 2}"), "`value`: unknown name `z`; expected one of `x`, `y`");
    assert_eq!(
        wave::from_wave("{x: 1}", &point),
        Ok(Value::Record(vec![Value::S32(1), Value::Option(None)]))
    );
}

#[test]
fn calls_are_split() {
    for (text, name, args) in [
        ("greet(\"(\")", "greet", "(\"(\")"),
        (" convert.to-html (1) ", "convert.to-html", "(1)"),
        ("a:b/c@1.0.0-rc.1#d()", "a:b/c@1.0.0-rc.1#d", "()"),
    ] {
        assert_eq!(wave::call_from_wave(text), Ok((name.into(), args.into())));
    }
    for text in ["", "greet", "(1)", "greet(1", "gr eet(1)", "greet(1) x"] {
        assert!(wave::call_from_wave(text).is_err(), "{text}");
    }
    let refused = wave::args_from_wave(&resize(), "([1], {width: 1})").expect_err("refused");
    assert_eq!(refused.to_string(), "`args.options`: missing `fit`, which is enum { cover, contain }");
    let refused = wave::args_from_wave(&resize(), "([1], ?)").expect_err("refused");
    assert!(matches!(refused, ValueError::Wave { offset: 6, .. }), "{refused}");
}

#[test]
fn schemas_are_closed_and_name_what_is_required() {
    let schema = schema::of_args(&resize(), "Makes an image smaller.");
    assert_eq!(schema["$schema"], schema::DIALECT);
    assert_eq!(schema["description"], "Makes an image smaller.");
    assert_eq!(schema["required"], json!(["image", "options"]));
    assert_eq!(schema["additionalProperties"], json!(false));
    let options = &schema["properties"]["options"];
    assert_eq!(options["required"], json!(["width", "fit"]));
    assert_eq!(
        options["properties"]["width"],
        json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX })
    );
    assert_eq!(schema["properties"]["image"]["required"], json!(["base64"]));
    assert_eq!(schema::of_result(&resize(), "")["type"], "null");
}
