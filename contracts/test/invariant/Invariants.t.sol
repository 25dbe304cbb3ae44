// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {Parameter} from "../../src/ProtocolParameters.sol";
import {Bucket, Provider, Role} from "../../src/Staking.sol";
import {Protocol} from "../support/Protocol.sol";
import {EconomyActions, EscrowActions, StakingActions, World} from "./Actions.sol";

/// @notice What holds whatever anybody does, in whatever order.
contract Invariants is Protocol {
    EscrowActions private escrowActions;
    StakingActions private stakingActions;
    EconomyActions private economyActions;
    address[] private accounts;

    function setUp() public override {
        super.setUp();
        for (uint256 number = 0; number < 5; ++number) {
            accounts.push(fund(address(uint160(0xACC0 + number)), 100_000_000 ether));
        }
        World memory world = World({
            token: token,
            escrow: escrow,
            staking: staking,
            slashing: slashing,
            rewards: rewards,
            parameters: parameters,
            timelock: address(timelock),
            settler: settler,
            verifier: verifier,
            publisher: publisher,
            accounts: accounts
        });
        escrowActions = new EscrowActions(world);
        stakingActions = new StakingActions(world);
        economyActions = new EconomyActions(world);
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](3);
        (targets[0], targets[1], targets[2]) =
            (address(escrowActions), address(stakingActions), address(economyActions));
    }

    /// @notice All of them after every call, in one campaign.
    function invariant_theProtocolHolds() external view {
        _escrowCoversAllClaims();
        _stakesEqualTheBalance();
        _nothingIsSlashedAfterRelease();
        _bondsAreCovered();
        _supplyStaysBelowTheCap();
        _rewardsStayWithinTheSchedule();
        _feesStayWithinBounds();
        _feesAreNeverRetroactive();
        _onlyTheTimelockAdministers();
    }

    /// @dev Solvency: the escrow holds exactly what it owes to tenants and providers.
    function _escrowCoversAllClaims() private view {
        (uint256 deposits, uint256 unclaimed) = escrow.liabilities();
        uint256 balances;
        for (uint256 index = 0; index < accounts.length; ++index) balances += escrow.balanceOf(accounts[index]);
        vm.assertEq(deposits, balances, "deposits are the balances of the tenants");
        vm.assertEq(unclaimed, escrowActions.owed(), "each batch pays no more than it holds");
        vm.assertEq(token.balanceOf(address(escrow)), deposits + unclaimed, "solvency");
    }

    /// @dev The staking contract holds what is staked, and the parts never add up to more.
    function _stakesEqualTheBalance() private view {
        uint256 held = token.balanceOf(address(staking));
        vm.assertEq(staking.totalStaked(), held, "total");
        uint256 owed = _owedTo(Role.NodeOperator) + _owedTo(Role.Validator);
        vm.assertLe(owed, held, "no part is owed that is not there");
        vm.assertLe(held, owed + 1_000_000, "and none is lost, but for rounding");
    }

    /// @dev What was released is paid in full, whatever is slashed later.
    function _nothingIsSlashedAfterRelease() private view {
        vm.assertEq(stakingActions.takenAfterRelease(), 0, "slashed after release");
    }

    /// @dev The court holds the bonds of open cases, and every open case holds its stake back.
    function _bondsAreCovered() private view {
        vm.assertEq(token.balanceOf(address(slashing)), slashing.bonds(), "bonds");
    }

    /// @dev The supply never passes the cap.
    function _supplyStaysBelowTheCap() private view {
        vm.assertLe(token.totalSupply(), token.CAP(), "supply");
    }

    /// @dev The epochs never pass the schedule and what validators have of fees, and the rewards are always there.
    function _rewardsStayWithinTheSchedule() private view {
        (, uint256 published, uint256 unclaimed) = rewards.totals();
        uint256 funded = rewards.funded();
        vm.assertEq(funded, escrowActions.toValidators(), "what validators have of fees arrives");
        vm.assertLe(published, rewards.emittedBy(block.timestamp) + funded, "schedule");
        vm.assertEq(
            token.balanceOf(address(rewards)), COMMUNITY + funded - (published - unclaimed), "nothing is lost"
        );
        vm.assertLe(unclaimed, token.balanceOf(address(rewards)), "solvency");
    }

    /// @dev The fee is never outside of its bounds, and nobody can have more than the whole of it.
    function _feesStayWithinBounds() private view {
        uint256 fee = parameters.get(Parameter.FeeBps);
        vm.assertGe(fee, 100, "least");
        vm.assertLe(fee, 500, "most");
        uint256 shares =
            parameters.get(Parameter.FeeBurnShareBps) + parameters.get(Parameter.FeeValidatorShareBps);
        vm.assertLe(shares, 10_000, "shares");
        vm.assertLe(parameters.get(Parameter.MaxSlashBps), 5_000, "slash");
    }

    /// @dev A batch pays the fee that was in force when it was charged.
    function _feesAreNeverRetroactive() private view {
        vm.assertEq(escrowActions.settledByAnotherFee(), 0, "fee of another time");
    }

    /// @dev Only the timelock administers, and nobody gets a role by himself.
    function _onlyTheTimelockAdministers() private view {
        address[4] memory governed =
            [address(escrow), address(staking), address(rewards), address(parameters)];
        for (uint256 index = 0; index < accounts.length; ++index) {
            for (uint256 at = 0; at < governed.length; ++at) {
                vm.assertTrue(!IAccessControl(governed[at]).hasRole(bytes32(0), accounts[index]), "admin");
            }
            vm.assertTrue(!staking.hasRole(staking.SLASHER_ROLE(), accounts[index]), "slasher");
            vm.assertTrue(!slashing.hasRole(slashing.VERIFIER_ROLE(), accounts[index]), "verifier");
        }
    }

    function _owedTo(Role role) private view returns (uint256 owed) {
        for (uint256 index = 0; index < accounts.length; ++index) {
            Provider memory provider = staking.providerOf(role, accounts[index]);
            for (uint256 who = 0; who < accounts.length; ++who) {
                owed += staking.stakeOf(role, accounts[index], accounts[who]);
            }
            uint256 buckets = staking.bucketCount(role, accounts[index]);
            for (uint256 number = 0; number < buckets; ++number) {
                Bucket memory bucket = staking.bucketOf(role, accounts[index], number);
                uint256 factor = number < provider.nextBucket ? bucket.factor : provider.factor;
                owed += (bucket.shares * factor) / 1e27;
            }
        }
    }
}
