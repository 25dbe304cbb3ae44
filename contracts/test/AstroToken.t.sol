// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Allocation, AstroToken} from "../src/AstroToken.sol";
import {Protocol} from "./support/Protocol.sol";

contract AstroTokenTest is Protocol {
    function test_supplyIsMintedOnceByTheTable() public view {
        vm.assertEq(token.totalSupply(), token.CAP(), "supply");
        vm.assertEq(token.balanceOf(address(rewards)), COMMUNITY, "community");
        vm.assertEq(token.balanceOf(address(vesting)), LOCKED, "locked");
        vm.assertEq(token.balanceOf(address(treasury)), TREASURY, "treasury");
        vm.assertEq(token.balanceOf(holder), LIQUIDITY, "liquidity");
    }

    function test_tableMustAddUp() public {
        Allocation[] memory rows = new Allocation[](1);
        rows[0] = Allocation("all", holder, 9 ether);
        vm.expectRevert(abi.encodeWithSelector(AstroToken.AllocationMismatch.selector, 10 ether, 9 ether));
        new AstroToken(10 ether, rows);
    }

    function testFuzz_supplyAboveTheCapIsRefused(uint256 supply) public {
        supply = bound(supply, token.CAP() + 1, type(uint256).max);
        uint256 cap = token.CAP();
        vm.expectRevert(abi.encodeWithSelector(AstroToken.CapExceeded.selector, supply, cap));
        new AstroToken(supply, new Allocation[](0));
    }

    function testFuzz_burningShrinksTheSupply(uint256 amount) public {
        amount = bound(amount, 0, LIQUIDITY);
        vm.prank(holder);
        token.burn(amount);
        vm.assertEq(token.totalSupply(), token.CAP() - amount, "supply");
    }

    function test_votesFollowDelegationByTime() public {
        vm.prank(holder);
        token.delegate(holder);
        vm.warp(GENESIS + 1);
        vm.assertEq(token.getPastVotes(holder, GENESIS), LIQUIDITY, "votes");
        vm.assertEq(token.clock(), GENESIS + 1, "clock");
        vm.assertTrue(keccak256(bytes(token.CLOCK_MODE())) == keccak256("mode=timestamp"), "mode");
    }

    function test_permitAllowsBySignature() public {
        uint256 key = 0xA11CE;
        address owner = vm.addr(key);
        bytes32 digest = keccak256(
            abi.encodePacked(
                "\x19\x01",
                token.DOMAIN_SEPARATOR(),
                keccak256(
                    abi.encode(
                        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
                        owner,
                        team,
                        5 ether,
                        token.nonces(owner),
                        GENESIS
                    )
                )
            )
        );
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        token.permit(owner, team, 5 ether, GENESIS, v, r, s);
        vm.assertEq(token.allowance(owner, team), 5 ether, "allowance");
        vm.assertEq(token.nonces(owner), 1, "nonce");
    }
}
