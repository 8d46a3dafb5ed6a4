(component
  (core module $m
    (func (export "geocode") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
    (func (export "reverse") (param i32) (result i32) (local.get 0)))
  (core instance $i (instantiate $m))
  (func $geocode (param "n" u32) (result u32) (canon lift (core func $i "geocode")))
  (func $reverse (param "n" u32) (result u32) (canon lift (core func $i "reverse")))
  (instance $lookup (export "geocode" (func $geocode)) (export "reverse" (func $reverse)))
  (export "acme:geo/lookup@3.0.1" (instance $lookup)))
