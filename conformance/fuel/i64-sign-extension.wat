;; The operators of i64 that extend a sign.
(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "run") (param $a i64) (result i32)
      (i32.store (i32.const 0) (i32.const 16))
      (i32.store (i32.const 4) (i32.const 3))
      (i64.store offset=16 (i32.const 0) (i64.extend8_s (local.get $a)))
      (i64.store offset=24 (i32.const 0) (i64.extend16_s (local.get $a)))
      (i64.store offset=32 (i32.const 0) (i64.extend32_s (local.get $a)))
      (i32.const 0)))
  (core instance $i (instantiate $m))
  (func (export "run") (param "a" u64) (result (list u64))
    (canon lift (core func $i "run") (memory (core memory $i "memory")))))
