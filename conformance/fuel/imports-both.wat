;; Calls a package, and another that calls the first: each way there has an instance of its own.
(component
  (import "demo:imports/ops@1.0.0" (instance $outer
    (export "run" (func (param "n" u32) (result u32)))))
  (import "demo:imported/ops@1.0.0" (instance $inner
    (export "increment" (func (param "n" u32) (result u32)))))
  (core func $count (canon lower (func $outer "run")))
  (core func $increment (canon lower (func $inner "increment")))
  (core module $m
    (import "ops" "count" (func $count (param i32) (result i32)))
    (import "ops" "increment" (func $increment (param i32) (result i32)))
    (func (export "run") (param $n i32) (result i32)
      (i32.add (call $count (local.get $n)) (call $increment (call $count (call $increment (local.get $n)))))))
  (core instance $i (instantiate $m
    (with "ops" (instance (export "count" (func $count)) (export "increment" (func $increment))))))
  (func (export "run") (param "n" u32) (result u32) (canon lift (core func $i "run"))))
