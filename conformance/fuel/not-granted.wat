;; An import of WASI that nobody granted may stand there; to call it ends the run.
(component
  (import "wasi:random/random@0.2.0" (instance $random (export "get-random-u64" (func (result u64)))))
  (core func $lowered (canon lower (func $random "get-random-u64")))
  (core module $m
    (import "" "random" (func $random (result i64)))
    (func (export "run") (param $n i32) (result i32)
      (if (local.get $n) (then (return (i32.wrap_i64 (call $random)))))
      (i32.const 4)))
  (core instance $i (instantiate $m (with "" (instance (export "random" (func $lowered))))))
  (func (export "run") (param "n" u32) (result u32) (canon lift (core func $i "run"))))
