;; Division and remainder of i64. By zero they trap, and so does the quotient that does not fit.
(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "run") (param $a i64) (param $b i64) (result i32)
      (i32.store (i32.const 0) (i32.const 16))
      (i32.store (i32.const 4) (i32.const 4))
      (i64.store offset=16 (i32.const 0) (i64.div_s (local.get $a) (local.get $b)))
      (i64.store offset=24 (i32.const 0) (i64.div_u (local.get $a) (local.get $b)))
      (i64.store offset=32 (i32.const 0) (i64.rem_s (local.get $a) (local.get $b)))
      (i64.store offset=40 (i32.const 0) (i64.rem_u (local.get $a) (local.get $b)))
      (i32.const 0)))
  (core instance $i (instantiate $m))
  (func (export "run") (param "a" u64) (param "b" u64) (result (list u64))
    (canon lift (core func $i "run") (memory (core memory $i "memory")))))
