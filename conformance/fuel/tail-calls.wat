;; A loop of tail calls, direct and through a table, that needs no stack.
(component
  (core module $m
    (type $f (func (param i32 i32) (result i32)))
    (table funcref (elem $odd))
    (func $even (type $f)
      (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
      (return_call_indirect (type $f)
        (i32.sub (local.get 0) (i32.const 1)) (i32.add (local.get 1) (i32.const 2)) (i32.const 0)))
    (func $odd (type $f)
      (if (i32.eqz (local.get 0)) (then (return (i32.sub (i32.const 0) (local.get 1)))))
      (return_call $even (i32.sub (local.get 0) (i32.const 1)) (i32.add (local.get 1) (i32.const 3))))
    (func (export "run") (param $n i32) (result i32) (return_call $even (local.get $n) (i32.const 0))))
  (core instance $i (instantiate $m))
  (func (export "run") (param "n" u32) (result u32) (canon lift (core func $i "run"))))
