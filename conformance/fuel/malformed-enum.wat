;; A case that there is not.
(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "run") (param $a i32) (param $b i32) (result i32)
      (i32.store (i32.const 0) (local.get $a))
      (i32.store (i32.const 4) (local.get $b))
      (i32.const 0)))
  (core instance $i (instantiate $m))
  (type $t-inner (enum "x" "y"))
  (export $t "t" (type $t-inner))
  (type $f-inner (flags "p" "q"))
  (export $f "f" (type $f-inner))
  (func (export "run") (param "a" u32) (param "b" u32) (result (tuple $t $f))
    (canon lift (core func $i "run") (memory (core memory $i "memory")))))
